// AVX2's product, of float32: 6 rows × 2 registers of sums, 2 of columns and 1 broadcast are 15 of 16
// registers. The same shape as avx512/product.hpp. Internal to every file that includes it.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "kernels/avx2/lanes.hpp"
#include "kernels/generic/encoder_product.hpp"

namespace gteway::kernels::avx2 {
namespace {

constexpr size_t kBlockRows = 6;
constexpr size_t kHalfPanel = 16;  // columns that two registers hold

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

// As generic/encoder_product.hpp wants it.
struct Product {
  using F32 = avx2::F32;
  using Dot = FloatElements;
  static constexpr size_t kColumns = kHalfPanel, kBlockRows = avx2::kBlockRows, kWords = 1;

  static void multiply(size_t rows, const char* a, size_t stride, const char* panel, size_t words, float* out,
                       size_t out_stride, Ahead) {
    kMultiplyRows[rows](a, stride, reinterpret_cast<const float*>(panel), words, out, out_stride);
  }
  static void pack_rows(const char* rows, size_t stride, size_t count, size_t words, char* panel) {
    pack_rows_by_words<kColumns>(rows, stride, count, words, panel);
  }
};

}  // namespace
}  // namespace gteway::kernels::avx2
