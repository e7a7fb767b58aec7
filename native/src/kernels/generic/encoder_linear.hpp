// Linear layers whose sums are float32: panels, then the biases.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_layout.hpp"
#include "kernels/generic/encoder_math.hpp"
#include "kernels/generic/encoder_product.hpp"

namespace gteway::kernels {
namespace {

template <class Product>
struct FloatLinear {
  using Element = typename Product::Dot::Element;
  static constexpr size_t kColumns = Product::kColumns;

  static size_t weight_bytes(const LinearShape& shape) { return shape.out * shape.in * sizeof(Element); }

  static size_t packed_bytes(const LinearShape& shape) noexcept {
    return weight_bytes(shape) + round_up(shape.out * sizeof(float), 64);
  }

  static void pack(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                   size_t columns, void* packed) noexcept {
    constexpr size_t kInWord = 4 / sizeof(Element);
    for (size_t j = 0; j < columns; ++j) {
      const size_t panel = (first + j) / kColumns, column = (first + j) % kColumns;
      Element* const to = static_cast<Element*>(packed) + (panel * shape.in * kColumns + column * kInWord);
      const float* const from = weight + j * shape.in;
      for (size_t k = 0; k < shape.in; ++k)
        to[k / kInWord * kColumns * kInWord + k % kInWord] = Product::Dot::element(from[k]);
      row_of<float>(packed, weight_bytes(shape), 1)[first + j] = bias[j];
    }
  }

  static void multiply(const LinearShape& shape, const void* packed, const Operand& x, size_t rows,
                       size_t first, size_t columns, const Result& y) noexcept {
    if (rows == 0) return;
    Finish* const finish = finish_for<typename Product::F32, kColumns>(y);
    const RowBlocks<Product::kBlockRows> blocks(rows);
    const size_t row_bytes = shape.in * sizeof(Element), panel_bytes = row_bytes * kColumns;
    const float* const biases = row_of<float>(packed, weight_bytes(shape), 1);
    alignas(64) float sums[Product::kBlockRows * kColumns];
    for (size_t column = first; column < first + columns; column += kColumns) {
      const char* const panel = row_of<char>(packed, row_bytes, column);
      for (size_t block = 0; block < blocks.count; ++block) {
        const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
        Product::multiply(height, row_of<char>(x.data, x.stride, row), x.stride, panel, row_bytes / 4, sums,
                          kColumns,
                          share_of<kColumns>(panel + panel_bytes, panel_bytes, block, blocks.count));
        finish(sums, height, nullptr, biases + column, result_at(y, row, column), y.stride);
      }
    }
  }
};

}  // namespace
}  // namespace gteway::kernels
