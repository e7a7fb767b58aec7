// AVX-512's product: a row's word is broadcast and multiplied with the same word of 32 columns, which two
// registers hold, so one shape serves all element types. Internal to every file that includes it.
//
//   14 rows × 2 registers of sums, 2 of columns, 1 broadcast: 31 of 32 registers.
// Measured against 12 × 2, 8 × 3, 9 × 3 and 6 × 4: no difference beyond 2 %, all within 3 % of the
// multipliers' limit; this one reads each panel of columns least often.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/lanes.hpp"
#include "kernels/avx512/transpose.hpp"
#include "kernels/encoder_layout.hpp"
#include "kernels/generic/encoder_product.hpp"

namespace gteway::kernels::avx512 {
namespace {

constexpr size_t kBlockRows = 14;

// `Rows` rows of a, at `stride` bytes, times one panel b, [words, 32], into out: [Rows, 32] sums of 32 bits,
// `out_stride` of them between rows.
template <class Dot, int Rows>
void multiply_rows(const char* a, size_t stride, const char* b, size_t words, float* out, size_t out_stride,
                   Ahead ahead) {
  typename Dot::Sum sum[Rows][2];
#pragma GCC unroll 14
  for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = Dot::zero();
  // Every fifth row has a pointer; x86 addresses reach those between with the stride as index.
  const char* fifth[(Rows + 4) / 5];
#pragma GCC unroll 3
  for (int i = 0; i < (Rows + 4) / 5; ++i) fifth[i] = a + static_cast<size_t>(5 * i) * stride;
  const size_t stride3 = 3 * stride;
  for (size_t word = 0; word < words; ++word, b += 128, ahead.at += ahead.step) {
    _mm_prefetch(ahead.at, _MM_HINT_T1);
    _mm_prefetch(ahead.at + 64, _MM_HINT_T1);
    const __m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 64);
#pragma GCC unroll 14
    for (int r = 0; r < Rows; ++r) {
      const char* const base = fifth[r / 5];
      const int step = r % 5;
      const char* const at = step == 3 ? base + stride3 : base + static_cast<size_t>(step) * stride;
      const __m512i broadcast = _mm512_set1_epi32(*reinterpret_cast<const int32_t*>(at));
      sum[r][0] = Dot::add(sum[r][0], broadcast, b0);
      sum[r][1] = Dot::add(sum[r][1], broadcast, b1);
    }
#pragma GCC unroll 3
    for (int i = 0; i < (Rows + 4) / 5; ++i) {
      fifth[i] += 4;
      asm volatile("" : "+r"(fifth[i]));  // or the compiler keeps a pointer per row, in memory
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < Rows; ++r) {
    Dot::store_sum(out + static_cast<size_t>(r) * out_stride, sum[r][0]);
    Dot::store_sum(out + static_cast<size_t>(r) * out_stride + 16, sum[r][1]);
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
    multiply_rows<Dot, 7>,
    multiply_rows<Dot, 8>,
    multiply_rows<Dot, 9>,
    multiply_rows<Dot, 10>,
    multiply_rows<Dot, 11>,
    multiply_rows<Dot, 12>,
    multiply_rows<Dot, 13>,
    multiply_rows<Dot, 14>,
};

// As generic/encoder_product.hpp wants it. Dot has Sum, zero(), add(sum, a, b), store_sum(to, sum).
template <class DotType>
struct Product {
  using F32 = avx512::F32;
  using Dot = DotType;
  static constexpr size_t kColumns = 32, kBlockRows = avx512::kBlockRows, kWords = 1;

  static void multiply(size_t rows, const char* a, size_t stride, const char* panel, size_t words, float* out,
                       size_t out_stride, Ahead ahead) {
    kMultiplyRows<Dot>[rows](a, stride, panel, words, out, out_stride, ahead);
  }

  // words: a multiple of 16.
  static void pack_rows(const char* rows, size_t stride, size_t count, size_t words, char* panel) {
    for (size_t first = 0; first < kColumns; first += 16)
      for (size_t word = 0; word < words; word += 16) {
        __m512i x[16];
#pragma GCC unroll 16
        for (size_t j = 0; j < 16; ++j)
          x[j] = first + j < count ? _mm512_loadu_si512(row_of<char>(rows, stride, first + j) + word * 4)
                                   : _mm512_setzero_si512();
        transpose(x);
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; ++i) _mm512_store_si512(panel + (word + i) * 128 + first * 4, x[i]);
      }
  }
};

}  // namespace
}  // namespace gteway::kernels::avx512
