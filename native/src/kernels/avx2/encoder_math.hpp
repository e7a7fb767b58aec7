// Elementary functions of the encoder on 8 lanes, and its product. Internal to every file that includes it.
//
// The product is 6 rows × 2 registers of sums, 2 of columns and 1 broadcast: 15 of 16 registers. See
// avx512/encoder_product.hpp, which has the same shape.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_polynomials.hpp"

namespace gteway::kernels {
namespace {

template <class T>
[[maybe_unused]] const T* row_of(const void* data, size_t stride, size_t row) {
  return reinterpret_cast<const T*>(static_cast<const char*>(data) + row * stride);
}
template <class T>
[[maybe_unused]] T* row_of(void* data, size_t stride, size_t row) {
  return reinterpret_cast<T*>(static_cast<char*>(data) + row * stride);
}

[[maybe_unused]] constexpr size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// c[n - 1] t^(n - 1) + … + c[0]
template <size_t N>
[[maybe_unused]] inline __m256 polynomial(__m256 t, const float (&c)[N]) {
  __m256 sum = _mm256_set1_ps(c[N - 1]);
#pragma GCC unroll 16
  for (int i = static_cast<int>(N) - 2; i >= 0; --i) sum = _mm256_fmadd_ps(sum, t, _mm256_set1_ps(c[i]));
  return sum;
}

[[maybe_unused]] inline __m256 magnitude(__m256 x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x); }

// 2^x for x ≤ 0, relative error 2e-7; below 2^-126 it stays there. NaN stays NaN.
[[maybe_unused]] inline __m256 exp2_of_negative(__m256 x) {
  x = _mm256_max_ps(_mm256_set1_ps(-126), x);  // of two operands, the second is what NaN leaves
  const __m256 whole = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256i exponent =
      _mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_add_ps(whole, _mm256_set1_ps(127))), 23);
  return _mm256_mul_ps(polynomial(_mm256_sub_ps(x, whole), kExp2Polynomial), _mm256_castsi256_ps(exponent));
}

// See kBumpPolynomial.
[[maybe_unused]] inline __m256 gelu_erf(__m256 x) {
  const __m256 a = _mm256_min_ps(_mm256_set1_ps(kBumpEnd), magnitude(x));
  const __m256 t = _mm256_fmsub_ps(a, _mm256_set1_ps(2 / kBumpEnd), _mm256_set1_ps(1));
  return _mm256_sub_ps(_mm256_max_ps(_mm256_setzero_ps(), x), polynomial(t, kBumpPolynomial));
}

// x / (1 + 2^-z), by 2^-|z|, which cannot overflow. See kTanhLinear.
[[maybe_unused]] inline __m256 gelu_tanh(__m256 x) {
  const __m256 square = _mm256_mul_ps(x, x);
  const __m256 z =
      _mm256_mul_ps(x, _mm256_fmadd_ps(square, _mm256_set1_ps(kTanhCubic), _mm256_set1_ps(kTanhLinear)));
  const __m256 e = exp2_of_negative(_mm256_sub_ps(_mm256_setzero_ps(), magnitude(z)));
  const __m256 over = _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1), e));
  return _mm256_blendv_ps(over, _mm256_mul_ps(over, e), x);  // by x's sign
}

// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))
[[maybe_unused]] inline float sum_lanes(__m256 x) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
// As max(a, b) of the instruction, a NaN may get lost.
[[maybe_unused]] inline float max_lanes(__m256 x) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

constexpr size_t kBlockRows = 6;
constexpr size_t kHalfPanel = 16;  // columns that two registers hold

// Which rows of how many one call covers: as even as possible.
struct RowBlocks {
  explicit RowBlocks(size_t rows_) : rows(rows_), count((rows_ + kBlockRows - 1) / kBlockRows) {}
  size_t begin(size_t block) const { return rows * block / count; }
  size_t rows, count;
};

// out: [Rows, 16] floats at `out_stride` floats = `Rows` rows of a, at `stride` bytes, times b: [in, 16].
template <int Rows>
void multiply_rows(const char* a, size_t stride, const float* b, size_t in, float* out, size_t out_stride) {
  __m256 sum[Rows][2];
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
  const char* third[(Rows + 2) / 3];
#pragma GCC unroll 2
  for (int i = 0; i < (Rows + 2) / 3; ++i) third[i] = a + static_cast<size_t>(3 * i) * stride;
  for (size_t k = 0; k < in; ++k, b += kHalfPanel) {
    const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r) {
      const char* const at = third[r / 3] + static_cast<size_t>(r % 3) * stride;
      const __m256 broadcast = _mm256_broadcast_ss(reinterpret_cast<const float*>(at));
      sum[r][0] = _mm256_fmadd_ps(broadcast, b0, sum[r][0]);
      sum[r][1] = _mm256_fmadd_ps(broadcast, b1, sum[r][1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < (Rows + 2) / 3; ++i) {
      third[i] += 4;
      asm volatile("" : "+r"(third[i]));  // or the compiler keeps a pointer per row
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) {
    _mm256_storeu_ps(out + static_cast<size_t>(r) * out_stride, sum[r][0]);
    _mm256_storeu_ps(out + static_cast<size_t>(r) * out_stride + 8, sum[r][1]);
  }
}

using MultiplyRows = void(const char* a, size_t stride, const float* b, size_t in, float* out,
                          size_t out_stride);

// [rows]: the product of that many rows.
constexpr MultiplyRows* kMultiplyRows[kBlockRows + 1] = {
    nullptr,          multiply_rows<1>, multiply_rows<2>, multiply_rows<3>,
    multiply_rows<4>, multiply_rows<5>, multiply_rows<6>,
};

}  // namespace
}  // namespace gteway::kernels
