// What works on rows: embedding, LayerNorm, and rows as operands of a product.
#include <cmath>

#include "kernels/neon/encoder_math.hpp"

namespace gteway::kernels::neon {
namespace {

// 16 partial sums, in a fixed order whatever the row.
inline float sum_of(const float32x4_t (&sum)[4]) {
  return vaddvq_f32(vaddq_f32(vaddq_f32(sum[0], sum[1]), vaddq_f32(sum[2], sum[3])));
}

void normalize(float* row, size_t dims, const LayerNormalization& norm) {
  const float count = static_cast<float>(dims);
  float32x4_t sum[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  for (size_t d = 0; d < dims; d += 16)
    for (size_t i = 0; i < 4; ++i) sum[i] = vaddq_f32(sum[i], vld1q_f32(row + d + 4 * i));
  const float32x4_t mean = vdupq_n_f32(sum_of(sum) / count);
  float32x4_t squares[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  for (size_t d = 0; d < dims; d += 16)
    for (size_t i = 0; i < 4; ++i) {
      const float32x4_t off = vsubq_f32(vld1q_f32(row + d + 4 * i), mean);
      squares[i] = vfmaq_f32(squares[i], off, off);
    }
  const float32x4_t scale = vdupq_n_f32(1 / std::sqrt(sum_of(squares) / count + norm.epsilon));
  for (size_t d = 0; d < dims; d += 4) {
    const float32x4_t off = vsubq_f32(vld1q_f32(row + d), mean);
    vst1q_f32(row + d, vfmaq_f32(vld1q_f32(norm.beta + d), vmulq_f32(off, scale), vld1q_f32(norm.gamma + d)));
  }
}

// `count` values, a multiple of 32, that share a scale.
Quantization quantize(const float* x, size_t count, uint8_t* q) {
  float32x4_t least = vld1q_f32(x), most = least, poison = vdupq_n_f32(0);
  for (size_t i = 0; i < count; i += 4) {
    const float32x4_t value = vld1q_f32(x + i);
    least = vminq_f32(least, value);
    most = vmaxq_f32(most, value);
    poison = vfmaq_f32(poison, value, vdupq_n_f32(0));  // NaN as soon as one is not finite
  }
  const float offset = vminvq_f32(least), range = vmaxvq_f32(most) - offset;
  const float to_q = range > 0 ? 255 / range : 0;
  const auto four = [&](size_t i) {
    const float32x4_t scaled = vmulq_n_f32(vsubq_f32(vld1q_f32(x + i), vdupq_n_f32(offset)), to_q);
    return vqmovun_s32(vcvtnq_s32_f32(scaled));
  };
  for (size_t i = 0; i < count; i += 8) vst1_u8(q + i, vqmovn_u16(vcombine_u16(four(i), four(i + 4))));
  return {.scale = range / 255 + vaddvq_f32(poison), .offset = offset};
}

void quantize_row(const float* x, size_t dims, size_t group, uint8_t* q, Quantization* quantization) {
  for (size_t d = 0; d < dims; d += group, ++quantization)
    *quantization = quantize(x + d, dims - d < group ? dims - d : group, q + d);
}

}  // namespace

void normalize_rows_f32(float* x, size_t stride, size_t rows, size_t dims,
                        const LayerNormalization& norm) noexcept {
  for (size_t r = 0; r < rows; ++r) normalize(row_of<float>(x, stride, r), dims, norm);
}

void normalize_rows_bf16(float* x, size_t stride, size_t rows, size_t dims, const LayerNormalization& norm,
                         const Operand& to) noexcept {
  for (size_t r = 0; r < rows; ++r) {
    float* const row = row_of<float>(x, stride, r);
    normalize(row, dims, norm);
    uint16_t* const halves = row_of<uint16_t>(to.data, to.stride, r);
    for (size_t d = 0; d < dims; d += 4) vst1_u16(halves + d, round_to_bf16(vld1q_f32(row + d)));
  }
}

void normalize_rows_u8(float* x, size_t stride, size_t rows, size_t dims, const LayerNormalization& norm,
                       size_t group, const Operand& to) noexcept {
  const size_t groups = (dims + group - 1) / group;
  for (size_t r = 0; r < rows; ++r) {
    float* const row = row_of<float>(x, stride, r);
    normalize(row, dims, norm);
    quantize_row(row, dims, group, row_of<uint8_t>(to.data, to.stride, r), to.quantization + r * groups);
  }
}

void quantize_u8(const float* x, size_t stride, size_t rows, size_t dims, size_t group,
                 const Operand& to) noexcept {
  const size_t groups = (dims + group - 1) / group;
  for (size_t r = 0; r < rows; ++r)
    quantize_row(row_of<float>(x, stride, r), dims, group, row_of<uint8_t>(to.data, to.stride, r),
                 to.quantization + r * groups);
}

void embed_f32(const int32_t* ids, size_t tokens, const float* words, const float* positions, size_t dims,
               float* x, size_t stride) noexcept {
  for (size_t i = 0; i < tokens; ++i) {
    const float* const word = words + static_cast<size_t>(ids[i]) * dims;
    float* const row = row_of<float>(x, stride, i);
    for (size_t d = 0; d < dims; d += 4)
      vst1q_f32(row + d, vaddq_f32(vld1q_f32(word + d), vld1q_f32(positions + i * dims + d)));
  }
}

void embed_bf16(const int32_t* ids, size_t tokens, const uint16_t* words, const float* positions, size_t dims,
                float* x, size_t stride) noexcept {
  for (size_t i = 0; i < tokens; ++i) {
    const uint16_t* const word = words + static_cast<size_t>(ids[i]) * dims;
    float* const row = row_of<float>(x, stride, i);
    for (size_t d = 0; d < dims; d += 4)
      vst1q_f32(row + d, vaddq_f32(widen_bf16(vld1_u16(word + d)), vld1q_f32(positions + i * dims + d)));
  }
}

}  // namespace gteway::kernels::neon
