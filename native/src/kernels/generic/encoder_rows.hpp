// What works on rows: embedding, LayerNorm, and rows as operands of a product.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_layout.hpp"
#include "kernels/generic/convert.hpp"

namespace gteway::kernels {
namespace {

// Sums in F32::kRowSums registers, however the row is reached; kRowSums × kLanes divides 32.
template <class F32>
inline float sum_of(const F32 (&sum)[F32::kRowSums]) {
  if constexpr (F32::kRowSums == 2) return sum_lanes(sum[0] + sum[1]);
  if constexpr (F32::kRowSums == 4) return sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

template <class F32>
void normalize(float* x, size_t dims, const LayerNormalization& norm) {
  constexpr size_t kLanes = F32::kLanes, kSums = F32::kRowSums;
  F32 sum[kSums], squares[kSums];
  for (size_t i = 0; i < kSums; ++i) sum[i] = squares[i] = F32::of(0);
  for (size_t d = 0; d < dims; d += kSums * kLanes)
    for (size_t i = 0; i < kSums; ++i) sum[i] = sum[i] + F32::load(x + d + i * kLanes);
  const float count = static_cast<float>(dims);
  const F32 mean = F32::of(sum_of<F32>(sum) / count);
  for (size_t d = 0; d < dims; d += kSums * kLanes)
    for (size_t i = 0; i < kSums; ++i) {
      const F32 off = F32::load(x + d + i * kLanes) - mean;
      squares[i] = fma(off, off, squares[i]);
    }
  const F32 scale = F32::of(1 / std::sqrt(sum_of<F32>(squares) / count + norm.epsilon));
  for (size_t d = 0; d < dims; d += kLanes) {
    const F32 off = F32::load(x + d) - mean;
    fma(off * scale, F32::load(norm.gamma + d), F32::load(norm.beta + d)).store(x + d);
  }
}

// `count` values, a multiple of 32, that share a scale.
template <class F32>
Quantization quantize(const float* x, size_t count, uint8_t* q) {
  constexpr size_t kLanes = F32::kLanes;
  F32 least[2] = {F32::load(x), F32::load(x + kLanes)}, most[2] = {least[0], least[1]};
  F32 poison[2] = {F32::of(0), F32::of(0)};  // NaN as soon as one value is not finite
  for (size_t i = 0; i < count; i += 2 * kLanes)
    for (size_t v = 0; v < 2; ++v) {
      const F32 value = F32::load(x + i + v * kLanes);
      least[v] = min(least[v], value);
      most[v] = max(most[v], value);
      poison[v] = fma(value, F32::of(0), poison[v]);
    }
  const float offset = min_lanes(min(least[0], least[1]));
  const float range = max_lanes(max(most[0], most[1])) - offset;
  const F32 lowest = F32::of(offset), to_q = F32::of(range > 0 ? 255 / range : 0);
  for (size_t i = 0; i < count; i += 2 * kLanes)
    store_u8(q + i, to_int((F32::load(x + i) - lowest) * to_q),
             to_int((F32::load(x + i + kLanes) - lowest) * to_q));
  return {.scale = range / 255 + sum_lanes(poison[0] + poison[1]), .offset = offset};
}

template <class F32>
void quantize_row(const float* x, size_t dims, size_t group, uint8_t* q, Quantization* quantization) {
  for (size_t d = 0; d < dims; d += group, ++quantization)
    *quantization = quantize<F32>(x + d, dims - d < group ? dims - d : group, q + d);
}

template <class F32>
void normalize_rows_f32(float* x, size_t stride, size_t rows, size_t dims,
                        const LayerNormalization& norm) noexcept {
  for (size_t r = 0; r < rows; ++r) normalize<F32>(row_of<float>(x, stride, r), dims, norm);
}

template <class F32>
void normalize_rows_bf16(float* x, size_t stride, size_t rows, size_t dims, const LayerNormalization& norm,
                         const Operand& to) noexcept {
  for (size_t r = 0; r < rows; ++r) {
    float* const row = row_of<float>(x, stride, r);
    normalize<F32>(row, dims, norm);
    uint16_t* const rounded = row_of<uint16_t>(to.data, to.stride, r);
    for (size_t d = 0; d < dims; d += 2 * F32::kLanes)
      store_bf16(rounded + d, F32::load(row + d), F32::load(row + d + F32::kLanes));
  }
}

template <class F32>
void normalize_rows_u8(float* x, size_t stride, size_t rows, size_t dims, const LayerNormalization& norm,
                       size_t group, const Operand& to) noexcept {
  const size_t groups = groups_of(dims, group);
  for (size_t r = 0; r < rows; ++r) {
    float* const row = row_of<float>(x, stride, r);
    normalize<F32>(row, dims, norm);
    quantize_row<F32>(row, dims, group, row_of<uint8_t>(to.data, to.stride, r), to.quantization + r * groups);
  }
}

template <class F32>
void quantize_u8(const float* x, size_t stride, size_t rows, size_t dims, size_t group,
                 const Operand& to) noexcept {
  const size_t groups = groups_of(dims, group);
  for (size_t r = 0; r < rows; ++r)
    quantize_row<F32>(row_of<float>(x, stride, r), dims, group, row_of<uint8_t>(to.data, to.stride, r),
                      to.quantization + r * groups);
}

template <class F32>
inline void store_words(float* to, F32 low, F32 high) {
  low.store(to);
  high.store(to + F32::kLanes);
}
template <class F32>
inline void store_words(uint16_t* to, F32 low, F32 high) {
  store_bf16(to, low, high);
}

template <class F32>
F32 load_word(const float* at) {
  return F32::load(at);
}
template <class F32>
F32 load_word(const uint16_t* at) {
  return F32::load_bf16(at);
}

template <class F32, class Word>
void embed(const int32_t* ids, size_t tokens, const Word* words, const float* positions, size_t dims,
           float* x, size_t stride) noexcept {
  for (size_t i = 0; i < tokens; ++i) {
    const Word* const word = words + static_cast<size_t>(ids[i]) * dims;
    float* const row = row_of<float>(x, stride, i);
    for (size_t d = 0; d < dims; d += F32::kLanes)
      (load_word<F32>(word + d) + F32::load(positions + i * dims + d)).store(row + d);
  }
}

// A head of kHeadSize in registers.
template <class F32, class Word, size_t kHeadSize>
inline void turn_head(Word* x, const float* turns) {
  constexpr size_t kLanes = F32::kLanes, kHalf = kHeadSize / 2 / kLanes;
  F32 turned[2 * kHalf];
#pragma GCC unroll 8
  for (size_t i = 0; i < kHalf; ++i) {
    const F32 a = load_word<F32>(x + i * kLanes), b = load_word<F32>(x + (i + kHalf) * kLanes);
    const F32 cosine = F32::load(turns + i * kLanes), sine = F32::load(turns + (i + kHalf) * kLanes);
    turned[i] = a * cosine - b * sine;
    turned[i + kHalf] = b * cosine + a * sine;
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < 2 * kHalf; i += 2) store_words(x + i * kLanes, turned[i], turned[i + 1]);
}

template <class F32, class Word>
void turn_heads(Word* x, size_t stride, size_t rows, size_t heads, size_t head_size,
                const float* turns) noexcept {
  for (size_t r = 0; r < rows; ++r, turns += head_size) {
    Word* head = row_of<Word>(x, stride, r);
    for (size_t h = 0; h < heads; ++h, head += head_size)
      head_size == 32 ? turn_head<F32, Word, 32>(head, turns) : turn_head<F32, Word, 64>(head, turns);
  }
}

}  // namespace
}  // namespace gteway::kernels
