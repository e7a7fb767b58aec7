// How layers and attention cut their rows and columns into products, whatever the instruction set.
//
// A word is 32 bits along K: one float32, two bfloat16 or four bytes. Columns lie in panels [words, kColumns]
// of words. An instruction set's product.hpp has Product<Dot>:
//   F32, Dot, Element
//   kColumns                 of a panel
//   kBlockRows               most rows of one product
//   kWords                   words are a multiple of it
//   multiply(rows, a, stride, panel, words, out, out_stride, ahead)
//                            `rows` rows of a, `stride` bytes apart, times a panel: [rows, kColumns] sums of
//                            32 bits, `out_stride` of them between rows. A sum runs over K from first to last
//                            whatever the number of rows, so a row never depends on its neighbours.
//   pack_rows(rows, stride, count, words, panel)
//                            the panel whose columns are those rows, zeros behind the first `count`
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_layout.hpp"

namespace gteway::kernels {
namespace {

// float32 as elements of a product.
struct FloatElements {
  using Element = float;
  static float element(float x) { return x; }
  template <class F32>
  static void store(float* to, F32 low, F32 high) {
    low.store(to);
    high.store(to + F32::kLanes);
  }
};

// Which rows of how many one product covers: as even as possible, so that no short rest is left whose few
// sums would wait for each other.
template <size_t kBlockRows>
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

// One block's share of what follows `next`, `bytes` that all blocks bring. The panel that follows the last
// one is the next layer's first: PackedEncoder places them in the order of their use.
template <size_t kColumns>
inline Ahead share_of(const char* next, size_t bytes, size_t block, size_t blocks) {
  return {next + bytes * block / blocks, (kColumns * 4 + blocks - 1) / blocks};
}

// Product::pack_rows, word by word.
template <size_t kColumns>
inline void pack_rows_by_words(const char* rows, size_t stride, size_t count, size_t words, char* panel) {
  auto* const to = reinterpret_cast<float*>(panel);
  for (size_t j = 0; j < kColumns; ++j) {
    const float* const row = row_of<float>(rows, stride, j);
    for (size_t word = 0; word < words; ++word) to[word * kColumns + j] = j < count ? row[word] : 0;
  }
}

}  // namespace
}  // namespace gteway::kernels
