// NEON's product: one lane of a register (a word of a row) is multiplied with the four lanes of another (that
// word of four columns), by the instructions for all element types. A block is 5 rows × 4 registers of sums,
// 5 of rows and 4 of columns: 29 of 32 registers. Internal to every file that includes it.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/generic/encoder_product.hpp"
#include "kernels/neon/lanes.hpp"

namespace gteway::kernels::neon {
namespace {

constexpr size_t kBlockRows = 5;

template <class Dot, int kLane, int Rows>
inline void multiply_word(const typename Dot::Words (&row)[Rows], const char* b,
                          typename Dot::Sum (&sum)[Rows][4]) {
  const typename Dot::Words columns[4] = {Dot::load(b), Dot::load(b + 16), Dot::load(b + 32),
                                          Dot::load(b + 48)};
  for (int r = 0; r < Rows; ++r)
    for (int i = 0; i < 4; ++i) sum[r][i] = Dot::template add<kLane>(sum[r][i], row[r], columns[i]);
}

// `Rows` rows of a, at `stride` bytes, times one panel b, into out: [Rows, 16] sums of 32 bits, `out_stride`
// of them between rows. words: a multiple of 4.
template <class Dot, int Rows>
void multiply_rows(const char* a, size_t stride, const char* b, size_t words, float* out, size_t out_stride) {
  typename Dot::Sum sum[Rows][4];
  for (int r = 0; r < Rows; ++r)
    for (int i = 0; i < 4; ++i) sum[r][i] = Dot::zero();
  for (size_t word = 0; word < words; word += 4, a += 16, b += 256) {
    typename Dot::Words row[Rows];
    for (int r = 0; r < Rows; ++r) row[r] = Dot::load_row(a + static_cast<size_t>(r) * stride);
    multiply_word<Dot, 0, Rows>(row, b, sum);
    multiply_word<Dot, 1, Rows>(row, b + 64, sum);
    multiply_word<Dot, 2, Rows>(row, b + 128, sum);
    multiply_word<Dot, 3, Rows>(row, b + 192, sum);
  }
  for (int r = 0; r < Rows; ++r)
    for (int i = 0; i < 4; ++i) Dot::store_sum(out + static_cast<size_t>(r) * out_stride + 4 * i, sum[r][i]);
}

using MultiplyRows = void(const char* a, size_t stride, const char* b, size_t words, float* out,
                          size_t out_stride);

// [rows]: the product of that many rows.
template <class Dot>
constexpr MultiplyRows* kMultiplyRows[kBlockRows + 1] = {
    nullptr,
    multiply_rows<Dot, 1>,
    multiply_rows<Dot, 2>,
    multiply_rows<Dot, 3>,
    multiply_rows<Dot, 4>,
    multiply_rows<Dot, 5>,
};

// As generic/encoder_product.hpp wants it. Dot has Sum, zero(), store_sum(to, sum), Words, load(at),
// load_row(at), add<lane>(sum, row, columns).
template <class DotType>
struct Product {
  using F32 = neon::F32;
  using Dot = DotType;
  static constexpr size_t kColumns = 16, kBlockRows = neon::kBlockRows, kWords = 4;

  static void multiply(size_t rows, const char* a, size_t stride, const char* panel, size_t words, float* out,
                       size_t out_stride, Ahead) {
    kMultiplyRows<Dot>[rows](a, stride, panel, words, out, out_stride);
  }
  static void pack_rows(const char* rows, size_t stride, size_t count, size_t words, char* panel) {
    pack_rows_by_words<kColumns>(rows, stride, count, words, panel);
  }
};

}  // namespace
}  // namespace gteway::kernels::neon
