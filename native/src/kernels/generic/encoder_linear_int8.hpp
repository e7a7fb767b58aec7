// Linear layers in 8 bits: unsigned inputs, quantised per row and group, signed weights, quantised per
// column.
//
// Packed: panels [in / 4, columns, 4] of int8, then, each [out], the columns' scales and biases in float32,
// and for each group the int32 sums of its quantised weights. Dot::kInputOffset is what the instructions' x
// is short of the contract's: as many times the sum of the weights is added to each product.
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
struct Int8Linear {
  using F32 = typename Product::F32;
  using I32 = typename F32::I32;
  static constexpr size_t kColumns = Product::kColumns, kLanes = F32::kLanes, kVectors = kColumns / kLanes;

  struct Layout {
    explicit Layout(const LinearShape& shape)
        : scales(shape.out * shape.in),
          biases(scales + shape.out * sizeof(float)),
          sums(biases + shape.out * sizeof(float)),
          bytes(round_up(sums + groups_of(shape.in, shape.group) * shape.out * sizeof(int32_t), 64)) {}
    size_t scales, biases, sums;  // where they begin
    size_t bytes;
  };

  static size_t packed_bytes(const LinearShape& shape) noexcept { return Layout(shape).bytes; }

  // The largest magnitude; NaN where a value is not finite.
  static float largest_of(const float* x, size_t count) {
    F32 most = F32::of(0), poison = F32::of(0);
    for (size_t i = 0; i < count; i += kLanes) {
      const F32 value = F32::load(x + i);
      most = max(most, abs(value));
      poison = fma(value, F32::of(0), poison);
    }
    return max_lanes(most) + sum_lanes(poison);
  }

  static void pack(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                   size_t columns, void* packed) noexcept {
    const Layout at(shape);
    for (size_t j = 0; j < columns; ++j) {
      const size_t column = first + j;
      const float* const from = weight + j * shape.in;
      char* const to =
          static_cast<char*>(packed) + column / kColumns * kColumns * shape.in + column % kColumns * 4;
      const float largest = largest_of(from, shape.in);
      const F32 to_q = F32::of(largest > 0 ? 127 / largest : 0);
      row_of<float>(packed, at.scales, 1)[column] = largest / 127;
      row_of<float>(packed, at.biases, 1)[column] = bias[j];
      int32_t* const sums = row_of<int32_t>(packed, at.sums, 1) + column;
      for (size_t k = 0; k < shape.in;) {
        const size_t group = k / shape.group, end = k + shape.group < shape.in ? k + shape.group : shape.in;
        I32 sum = I32::of(0);
        for (; k < end; k += 2 * kLanes) {
          const I32 q[2] = {to_int(F32::load(from + k) * to_q), to_int(F32::load(from + k + kLanes) * to_q)};
          sum = sum + q[0] + q[1];
          alignas(32) int8_t bytes[2 * kLanes];
          store_i8(bytes, q);
          for (size_t i = 0; i < 2 * kLanes; i += 4) __builtin_memcpy(to + (k + i) * kColumns, bytes + i, 4);
        }
        sums[group * shape.out] = sum_lanes(sum);
      }
    }
  }

  // Adds one group's share to sums, [rows, kColumns]: scale × Σ q_x q_w + offset × Σ q_w; stores it where it
  // is the first. products: int32, in place of the float32 they are declared as.
  template <bool kIsFirst>
  static void add_group(const float* products, size_t rows, const Quantization* quantization, size_t groups,
                        const int32_t* weight_sums, float* sums) {
    constexpr int32_t kOffset = Product::Dot::kInputOffset;
    F32 weights[kVectors];
    [[maybe_unused]] I32 missing[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      const I32 whole = I32::load(weight_sums + v * kLanes);
      weights[v] = F32::of(whole);
      if constexpr (kOffset != 0) missing[v] = whole * I32::of(kOffset);
    }
    for (size_t r = 0; r < rows; ++r, quantization += groups) {
      const F32 scale = F32::of(quantization->scale), offset = F32::of(quantization->offset);
      for (size_t v = 0; v < kVectors; ++v) {
        const size_t at = r * kColumns + v * kLanes;
        I32 product = I32::load(products + at);
        if constexpr (kOffset != 0) product = product + missing[v];
        F32 sum = fma(scale, F32::of(product), offset * weights[v]);
        if constexpr (!kIsFirst) sum = sum + F32::load(sums + at);
        sum.store(sums + at);
      }
    }
  }

  static void multiply(const LinearShape& shape, const void* packed, const Operand& x, size_t rows,
                       size_t first, size_t columns, const Result& y) noexcept {
    if (rows == 0) return;
    Finish* const finish = finish_for<F32, kColumns>(y);
    const Layout at(shape);
    const RowBlocks<Product::kBlockRows> blocks(rows);
    const size_t groups = groups_of(shape.in, shape.group);
    alignas(64) float products[Product::kBlockRows * kColumns], sums[Product::kBlockRows * kColumns];
    for (size_t column = first; column < first + columns; column += kColumns) {
      const char* const panel = row_of<char>(packed, shape.in, column);
      const float* const scales = row_of<float>(packed, at.scales, 1) + column;
      const int32_t* const weight_sums = row_of<int32_t>(packed, at.sums, 1) + column;
      for (size_t block = 0; block < blocks.count; ++block) {
        const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
        for (size_t g = 0, k = 0; g < groups; ++g, k += shape.group) {
          const size_t inputs = k + shape.group < shape.in ? shape.group : shape.in - k;
          Product::multiply(
              height, row_of<char>(x.data, x.stride, row) + k, x.stride, panel + k * kColumns, inputs / 4,
              products, kColumns,
              share_of<kColumns>(panel + (shape.in + k) * kColumns, inputs * kColumns, block, blocks.count));
          const Quantization* const quantization = x.quantization + row * groups + g;
          if (g == 0)
            add_group<true>(products, height, quantization, groups, weight_sums, sums);
          else
            add_group<false>(products, height, quantization, groups, weight_sums + g * shape.out, sums);
        }
        finish(sums, height, scales, row_of<float>(packed, at.biases, 1) + column, result_at(y, row, column),
               y.stride);
      }
    }
  }
};

}  // namespace
}  // namespace gteway::kernels
