// AVX2's product: 6 rows × 2 registers of sums, 2 of columns and 1 broadcast are 15 of 16 registers. The same
// shape as avx512/product.hpp, for every type of element. Internal to every file that includes it.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "kernels/avx2/lanes.hpp"
#include "kernels/generic/encoder_product.hpp"

namespace gteway::kernels::avx2 {
namespace {

constexpr size_t kBlockRows = 6;
constexpr size_t kHalfPanel = 16;  // columns that two registers hold

// `Rows` rows of a, at `stride` bytes, times one panel b, [words, 16], into out: [Rows, 16] sums of 32 bits,
// `out_stride` of them between rows.
template <class Dot, int Rows>
void multiply_rows(const char* a, size_t stride, const char* b, size_t words, float* out, size_t out_stride,
                   Ahead ahead) {
  typename Dot::Sum sum[Rows][2];
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = Dot::zero();
  const char* third[(Rows + 2) / 3];
#pragma GCC unroll 2
  for (int i = 0; i < (Rows + 2) / 3; ++i) third[i] = a + static_cast<size_t>(3 * i) * stride;
  for (size_t word = 0; word < words; ++word, b += 64, ahead.at += ahead.step) {
    if constexpr (Dot::kPrefetches) _mm_prefetch(ahead.at, _MM_HINT_T1);
    const auto b0 = Dot::load(b), b1 = Dot::load(b + 32);
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r) {
      const char* const at = third[r / 3] + static_cast<size_t>(r % 3) * stride;
      const auto broadcast = Dot::broadcast(at);
      sum[r][0] = Dot::add(sum[r][0], broadcast, b0);
      sum[r][1] = Dot::add(sum[r][1], broadcast, b1);
    }
#pragma GCC unroll 2
    for (int i = 0; i < (Rows + 2) / 3; ++i) {
      third[i] += 4;
      asm volatile("" : "+r"(third[i]));  // or the compiler keeps a pointer per row
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) {
    Dot::store_sum(out + static_cast<size_t>(r) * out_stride, sum[r][0]);
    Dot::store_sum(out + static_cast<size_t>(r) * out_stride + 8, sum[r][1]);
  }
}

using MultiplyRows = void(const char* a, size_t stride, const char* b, size_t words, float* out,
                          size_t out_stride, Ahead ahead);

// [rows]: the product of that many rows.
template <class Dot>
constexpr MultiplyRows* kMultiplyRows[kBlockRows + 1] = {
    nullptr,
    multiply_rows<Dot, 1>,
    multiply_rows<Dot, 2>,
    multiply_rows<Dot, 3>,
    multiply_rows<Dot, 4>,
    multiply_rows<Dot, 5>,
    multiply_rows<Dot, 6>,
};

// As generic/encoder_product.hpp wants it. Dot has Sum, zero(), load(columns), broadcast(word),
// add(sum, a, b), store_sum(to, sum), and whether it brings the next panel to the second-level cache.
template <class DotType>
struct Product {
  using F32 = avx2::F32;
  using Dot = DotType;
  static constexpr size_t kColumns = kHalfPanel, kBlockRows = avx2::kBlockRows, kWords = 1;

  static void multiply(size_t rows, const char* a, size_t stride, const char* panel, size_t words, float* out,
                       size_t out_stride, Ahead ahead) {
    kMultiplyRows<Dot>[rows](a, stride, panel, words, out, out_stride, ahead);
  }
  static void pack_rows(const char* rows, size_t stride, size_t count, size_t words, char* panel) {
    pack_rows_by_words<kColumns>(rows, stride, count, words, panel);
  }
};

}  // namespace
}  // namespace gteway::kernels::avx2
