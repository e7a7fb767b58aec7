// Linear layers in float32: packed as half panels [in, 16 columns], then the biases.
#include "kernels/avx2/encoder_math.hpp"

namespace gteway::kernels::avx2 {
namespace {

size_t weight_bytes(const LinearShape& shape) { return shape.out * shape.in * sizeof(float); }

template <Activation A>
inline __m256 activate(__m256 x) {
  if constexpr (A == Activation::kGeluErf) return gelu_erf(x);
  if constexpr (A == Activation::kGeluTanh) return gelu_tanh(x);
  return x;
}

// Rounded to nearest even; a NaN stays one.
inline __m128i round_to_bf16(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const __m256i upper = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
}

template <Activation A, ResultKind K>
void finish(const float* sums, size_t rows, const float* biases, char* to, size_t stride) {
  constexpr size_t kEight = K == ResultKind::kBf16 ? 16 : 32;
  const __m256 bias[2] = {_mm256_loadu_ps(biases), _mm256_loadu_ps(biases + 8)};
  for (size_t r = 0; r < rows; ++r, sums += kHalfPanel, to += stride)
    for (size_t i = 0; i < 2; ++i) {
      const __m256 y = activate<A>(_mm256_add_ps(_mm256_loadu_ps(sums + 8 * i), bias[i]));
      char* const at = to + i * kEight;
      if constexpr (K == ResultKind::kF32) _mm256_storeu_ps(reinterpret_cast<float*>(at), y);
      if constexpr (K == ResultKind::kAddF32)
        _mm256_storeu_ps(reinterpret_cast<float*>(at),
                         _mm256_add_ps(_mm256_loadu_ps(reinterpret_cast<float*>(at)), y));
      if constexpr (K == ResultKind::kBf16)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(at), round_to_bf16(y));
    }
}

using Finish = void(const float* sums, size_t rows, const float* biases, char* to, size_t stride);

template <Activation A>
Finish* finish_for(ResultKind kind) {
  switch (kind) {
    case ResultKind::kF32:
      return finish<A, ResultKind::kF32>;
    case ResultKind::kAddF32:
      return finish<A, ResultKind::kAddF32>;
    case ResultKind::kBf16:
      return finish<A, ResultKind::kBf16>;
  }
  return nullptr;
}

Finish* finish_for(const Result& y) {
  switch (y.activation) {
    case Activation::kNone:
      return finish_for<Activation::kNone>(y.kind);
    case Activation::kGeluErf:
      return finish_for<Activation::kGeluErf>(y.kind);
    case Activation::kGeluTanh:
      return finish_for<Activation::kGeluTanh>(y.kind);
  }
  return nullptr;
}

}  // namespace

size_t packed_bytes_f32(const LinearShape& shape) noexcept {
  return weight_bytes(shape) + round_up(shape.out * sizeof(float), 64);
}

void pack_linear_f32(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                     size_t columns, void* packed) noexcept {
  for (size_t j = 0; j < columns; ++j) {
    const size_t half = (first + j) / kHalfPanel, column = (first + j) % kHalfPanel;
    float* const to = static_cast<float*>(packed) + half * shape.in * kHalfPanel + column;
    for (size_t k = 0; k < shape.in; ++k) to[k * kHalfPanel] = weight[j * shape.in + k];
    row_of<float>(packed, weight_bytes(shape), 1)[first + j] = bias[j];
  }
}

void linear_f32(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                size_t columns, const Result& y) noexcept {
  if (rows == 0) return;
  Finish* const finish = finish_for(y);
  const RowBlocks blocks(rows);
  const float* const biases = row_of<float>(packed, weight_bytes(shape), 1);
  const size_t element = y.kind == ResultKind::kBf16 ? sizeof(uint16_t) : sizeof(float);
  alignas(32) float sums[kBlockRows * kHalfPanel];
  for (size_t column = first; column < first + columns; column += kHalfPanel) {
    const float* const panel = static_cast<const float*>(packed) + column * shape.in;
    for (size_t block = 0; block < blocks.count; ++block) {
      const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
      kMultiplyRows[height](row_of<char>(x.data, x.stride, row), x.stride, panel, shape.in, sums, kHalfPanel);
      finish(sums, height, biases + column, static_cast<char*>(y.data) + row * y.stride + column * element,
             y.stride);
    }
  }
}

}  // namespace gteway::kernels::avx2
