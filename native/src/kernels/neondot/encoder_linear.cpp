// Linear layers in 8 bits: unsigned inputs, quantised per row and group, signed weights, quantised per
// column.
//
// SDOT multiplies signed with signed, so inputs are shifted by 128 as they are loaded, and 128 × Σ q_w is
// added to each sum. Packed: panels [in / 4, 16 columns, 4] of int8, then, each [out], the columns' scales
// and biases in float32, and for each group the int32 sums of its quantised weights.
#include "kernels/neon/encoder_product.hpp"

namespace gteway::kernels::neondot {
namespace {

struct DotInt8 {
  using Sum = int32x4_t;
  using Words = int8x16_t;
  static Sum zero() { return vdupq_n_s32(0); }
  static Words load(const char* at) { return vld1q_s8(reinterpret_cast<const int8_t*>(at)); }
  static Words load_row(const char* at) { return veorq_s8(load(at), vdupq_n_s8(-128)); }
  template <int kLane>
  static Sum add(Sum sum, Words row, Words columns) {
    return vdotq_laneq_s32(sum, columns, row, kLane);
  }
};

size_t groups_of(const LinearShape& shape) { return (shape.in + shape.group - 1) / shape.group; }

struct Layout {
  explicit Layout(const LinearShape& shape)
      : scales(shape.out * shape.in),
        biases(scales + shape.out * sizeof(float)),
        sums(biases + shape.out * sizeof(float)),
        bytes(round_up(sums + groups_of(shape) * shape.out * sizeof(int32_t), 64)) {}
  size_t scales, biases, sums;  // where they begin
  size_t bytes;
};

// Adds one group's share to sums, [Rows, 16]: scale × Σ q_x q_w + offset × Σ q_w; stores it where it is the
// first.
template <int Rows>
void multiply_group(const char* x, size_t stride, const char* panel, size_t words,
                    const Quantization* quantization, size_t groups, const int32_t* weight_sums,
                    bool is_first, float* sums) {
  int32x4_t product[Rows][4];
  multiply_panel<DotInt8, Rows>(x, stride, panel, words, product);
  for (int r = 0; r < Rows; ++r, quantization += groups)
    for (int i = 0; i < 4; ++i) {
      float* const to = sums + r * static_cast<int>(kHalfPanel) + 4 * i;
      const int32x4_t weights = vld1q_s32(weight_sums + 4 * i);
      const float32x4_t whole = vcvtq_f32_s32(vmlaq_n_s32(product[r][i], weights, 128));
      float32x4_t sum = vmulq_n_f32(vcvtq_f32_s32(weights), quantization->offset);
      sum = vfmaq_n_f32(sum, whole, quantization->scale);
      vst1q_f32(to, is_first ? sum : vaddq_f32(vld1q_f32(to), sum));
    }
}

using MultiplyGroup = void(const char*, size_t, const char*, size_t, const Quantization*, size_t,
                           const int32_t*, bool, float*);
constexpr MultiplyGroup* kMultiplyGroup[kBlockRows + 1] = {
    nullptr, multiply_group<1>, multiply_group<2>, multiply_group<3>, multiply_group<4>, multiply_group<5>,
};

// The largest magnitude; NaN where a value is not finite.
float largest_of(const float* x, size_t count) {
  float32x4_t most = vdupq_n_f32(0), poison = vdupq_n_f32(0);
  for (size_t i = 0; i < count; i += 4) {
    const float32x4_t value = vld1q_f32(x + i);
    most = vmaxq_f32(most, vabsq_f32(value));
    poison = vfmaq_f32(poison, value, vdupq_n_f32(0));
  }
  return vmaxvq_f32(most) + vaddvq_f32(poison);
}

}  // namespace

size_t packed_bytes_int8(const LinearShape& shape) noexcept { return Layout(shape).bytes; }

void pack_linear_int8(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                      size_t columns, void* packed) noexcept {
  const Layout at(shape);
  for (size_t j = 0; j < columns; ++j) {
    const size_t column = first + j;
    const float* const from = weight + j * shape.in;
    int8_t* const to =
        static_cast<int8_t*>(packed) + column / kHalfPanel * kHalfPanel * shape.in + column % kHalfPanel * 4;
    const float largest = largest_of(from, shape.in);
    const float to_q = largest > 0 ? 127 / largest : 0;
    row_of<float>(packed, at.scales, 1)[column] = largest / 127;
    row_of<float>(packed, at.biases, 1)[column] = bias[j];
    int32_t* const sums = row_of<int32_t>(packed, at.sums, 1) + column;
    for (size_t k = 0; k < shape.in;) {
      const size_t group = k / shape.group, end = k + shape.group < shape.in ? k + shape.group : shape.in;
      int32x4_t sum = vdupq_n_s32(0);
      for (; k < end; k += 4) {
        const int32x4_t q = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(from + k), to_q));
        sum = vaddq_s32(sum, q);
        const int8x8_t bytes = vqmovn_s16(vcombine_s16(vqmovn_s32(q), vdup_n_s16(0)));
        vst1_lane_s32(reinterpret_cast<int32_t*>(to + k * kHalfPanel), vreinterpret_s32_s8(bytes), 0);
      }
      sums[group * shape.out] = vaddvq_s32(sum);
    }
  }
}

void linear_int8(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                 size_t columns, const Result& y) noexcept {
  if (rows == 0) return;
  Finish* const finish = finish_for(y);
  const Layout at(shape);
  const RowBlocks blocks(rows);
  const size_t groups = groups_of(shape);
  alignas(16) float sums[kBlockRows * kHalfPanel];
  for (size_t column = first; column < first + columns; column += kHalfPanel) {
    const char* const panel = row_of<char>(packed, shape.in, column);
    const int32_t* const weight_sums = row_of<int32_t>(packed, at.sums, 1) + column;
    for (size_t block = 0; block < blocks.count; ++block) {
      const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
      for (size_t g = 0, k = 0; g < groups; ++g, k += shape.group) {
        const size_t inputs = k + shape.group < shape.in ? shape.group : shape.in - k;
        kMultiplyGroup[height](row_of<char>(x.data, x.stride, row) + k, x.stride, panel + k * kHalfPanel,
                               inputs / 4, x.quantization + row * groups + g, groups,
                               weight_sums + g * shape.out, g == 0, sums);
      }
      finish(sums, height, row_of<float>(packed, at.scales, 1) + column,
             row_of<float>(packed, at.biases, 1) + column, result_at(y, row, column), y.stride);
    }
  }
}

}  // namespace gteway::kernels::neondot
