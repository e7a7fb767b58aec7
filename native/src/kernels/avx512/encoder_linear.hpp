// Linear layers whose sums are float32: packed as panels [in / word, 32 columns] of words, then the biases.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/encoder_product.hpp"
#include "kernels/avx512/encoder_result.hpp"

namespace gteway::kernels {
namespace {

template <class Dot>
struct FloatLinear {
  using Element = typename Dot::Element;

  static size_t weight_bytes(const LinearShape& shape) { return shape.out * shape.in * sizeof(Element); }

  static size_t packed_bytes(const LinearShape& shape) {
    return weight_bytes(shape) + round_up(shape.out * sizeof(float), 64);
  }

  // convert(float) gives an Element.
  template <class Convert>
  static void pack(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                   size_t columns, void* packed, Convert convert) {
    constexpr size_t kInWord = 4 / sizeof(Element);
    for (size_t j = 0; j < columns; ++j) {
      const size_t panel = (first + j) / kPanelColumns, column = (first + j) % kPanelColumns;
      Element* const to =
          static_cast<Element*>(packed) + (panel * shape.in * kPanelColumns + column * kInWord);
      const float* const from = weight + j * shape.in;
      for (size_t k = 0; k < shape.in; ++k)
        to[k / kInWord * kPanelColumns * kInWord + k % kInWord] = convert(from[k]);
      row_of<float>(packed, weight_bytes(shape), 1)[first + j] = bias[j];
    }
  }

  static void multiply(const LinearShape& shape, const void* packed, const Operand& x, size_t rows,
                       size_t first, size_t columns, const Result& y) {
    if (rows == 0) return;
    Finish* const finish = finish_for(y);
    const RowBlocks blocks(rows);
    const size_t row_bytes = shape.in * sizeof(Element);
    const float* const biases = row_of<float>(packed, weight_bytes(shape), 1);
    alignas(64) float sums[kBlockRows * kPanelColumns];
    for (size_t column = first; column < first + columns; column += kPanelColumns) {
      const char* const panel = row_of<char>(packed, row_bytes, column);
      for (size_t block = 0; block < blocks.count; ++block) {
        const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
        kMultiplyRows<Dot>[height](row_of<char>(x.data, x.stride, row), x.stride, panel, row_bytes / 4, sums,
                                   kPanelColumns,
                                   next_panel(panel, row_bytes * kPanelColumns, block, blocks.count));
        finish(sums, height, nullptr, biases + column, result_at(y, row, column), y.stride);
      }
    }
  }
};

}  // namespace
}  // namespace gteway::kernels
