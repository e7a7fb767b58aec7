// The product every linear layer and every attention head is made of. Internal to every file that includes
// it.
//
// A word is 32 bits along K: one float32, two bfloat16 or four bytes. A row's word is broadcast and
// multiplied with the same word of 32 columns, which two registers hold, so one shape serves all element
// types:
//   14 rows × 2 registers of sums, 2 of columns, 1 broadcast: 31 of 32 registers.
// Measured against 12 × 2, 8 × 3, 9 × 3 and 6 × 4: no difference beyond 2 %, all within 3 % of the
// multipliers' limit; this one reads each panel of columns least often. A sum runs over K from first to last
// whatever the number of rows, so a row never depends on its neighbours.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/encoder_math.hpp"

namespace gteway::kernels {
namespace {

constexpr size_t kBlockRows = 14;

struct DotF32 {
  using Element = float;
  using Sum = __m512;
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(Sum sum, __m512i a, __m512i b) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
  }
  static void store(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }
};

// Which rows of how many one call covers: as even as possible, so that no short rest is left whose few sums
// would wait for each other.
struct RowBlocks {
  explicit RowBlocks(size_t rows_) : rows(rows_), count((rows_ + kBlockRows - 1) / kBlockRows) {}
  size_t begin(size_t block) const { return rows * block / count; }
  size_t rows, count;
};

// What to bring from the third-level cache to the second meanwhile: from `at`, `step` bytes at each word.
struct Ahead {
  const char* at;
  size_t step;
};

// Nothing.
[[maybe_unused]] inline Ahead nothing_ahead(const void* loaded) {
  return {static_cast<const char*>(loaded), 0};
}

// One block's share of the panel behind `panel`, which blocks read one after the other. The panel that
// follows the last one is the next layer's first: PackedEncoder places them in the order of their use.
[[maybe_unused]] inline Ahead next_panel(const char* panel, size_t panel_bytes, size_t block, size_t blocks) {
  return {panel + panel_bytes + panel_bytes * block / blocks, (128 + blocks - 1) / blocks};
}

// `Rows` rows of a, at `stride` bytes, times one panel b: [words, 32].
template <class Dot, int Rows>
__attribute__((always_inline)) inline void multiply_panel(const char* a, size_t stride, const char* b,
                                                          size_t words, typename Dot::Sum (&sum)[Rows][2],
                                                          Ahead ahead) {
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
}

// The same, into out: [Rows, 32] sums of 32 bits, `out_stride` of them between rows.
template <class Dot, int Rows>
void multiply_rows(const char* a, size_t stride, const char* b, size_t words, float* out, size_t out_stride,
                   Ahead ahead) {
  typename Dot::Sum sum[Rows][2];
  multiply_panel<Dot, Rows>(a, stride, b, words, sum, ahead);
#pragma GCC unroll 14
  for (int r = 0; r < Rows; ++r) {
    Dot::store(out + static_cast<size_t>(r) * out_stride, sum[r][0]);
    Dot::store(out + static_cast<size_t>(r) * out_stride + 16, sum[r][1]);
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

}  // namespace
}  // namespace gteway::kernels
