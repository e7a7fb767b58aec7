// Rows become columns, in 32-bit elements. Internal to every file that includes it.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace gteway::kernels::avx512 {
namespace {

// x[i] lane j = x[j] lane i.
[[maybe_unused]] inline void transpose(__m512i (&x)[16]) {
  __m512i pairs[16], fours[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    pairs[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
    pairs[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    fours[4 * i] = _mm512_unpacklo_epi64(pairs[4 * i], pairs[4 * i + 2]);
    fours[4 * i + 1] = _mm512_unpackhi_epi64(pairs[4 * i], pairs[4 * i + 2]);
    fours[4 * i + 2] = _mm512_unpacklo_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
    fours[4 * i + 3] = _mm512_unpackhi_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
  }
  // fours[4 i + c], 128-bit lane l: column 4 l + c of rows 4 i … 4 i + 3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i low01 = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0x88);
    const __m512i high01 = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0xdd);
    const __m512i low23 = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0x88);
    const __m512i high23 = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0xdd);
    x[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    x[8 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    x[4 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    x[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
}

// Words of two rows of 32 bfloat16 beside each other: lanes i of `even` and of `odd` become word i of `low`
// (the first 16) and `high`.
[[maybe_unused]] inline void interleave(__m512i even, __m512i odd, __m512i& low, __m512i& high) {
  const __m512i ramp = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i first =
      _mm512_or_si512(ramp, _mm512_slli_epi32(_mm512_add_epi32(ramp, _mm512_set1_epi32(32)), 16));
  const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
  low = _mm512_permutex2var_epi16(even, first, odd);
  high = _mm512_permutex2var_epi16(even, second, odd);
}

}  // namespace
}  // namespace gteway::kernels::avx512
