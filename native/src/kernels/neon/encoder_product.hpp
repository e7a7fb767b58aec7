// The product every linear layer and every attention head is made of, and what becomes of its sums. Internal
// to every file that includes it.
//
// A word is 32 bits along K: one float32, two bfloat16 or four bytes; the instructions for all three multiply
// one lane of a register (a word of a row) with the four lanes of another (that word of four columns). Panels
// are [words, 16 columns] of words, and a block is 5 rows × 4 registers of sums, 5 of rows and 4 of columns:
// 29 of 32 registers. A sum runs over K from first to last whatever the number of rows, so a row never
// depends on its neighbours.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/neon/encoder_math.hpp"

namespace gteway::kernels {
namespace {

constexpr size_t kBlockRows = 5;
constexpr size_t kHalfPanel = 16;

struct DotF32 {
  using Element = float;
  using Sum = float32x4_t;
  using Words = float32x4_t;
  static Sum zero() { return vdupq_n_f32(0); }
  static Words load(const char* at) { return vld1q_f32(reinterpret_cast<const float*>(at)); }
  static Words load_row(const char* at) { return load(at); }
  template <int kLane>
  static Sum add(Sum sum, Words row, Words columns) {
    return vfmaq_laneq_f32(sum, columns, row, kLane);
  }
};

// Which rows of how many one call covers: as even as possible.
struct RowBlocks {
  explicit RowBlocks(size_t rows_) : rows(rows_), count((rows_ + kBlockRows - 1) / kBlockRows) {}
  size_t begin(size_t block) const { return rows * block / count; }
  size_t rows, count;
};

template <class Dot, int kLane, int Rows>
inline void multiply_word(const typename Dot::Words (&row)[Rows], const char* b,
                          typename Dot::Sum (&sum)[Rows][4]) {
  const typename Dot::Words columns[4] = {Dot::load(b), Dot::load(b + 16), Dot::load(b + 32),
                                          Dot::load(b + 48)};
  for (int r = 0; r < Rows; ++r)
    for (int i = 0; i < 4; ++i) sum[r][i] = Dot::template add<kLane>(sum[r][i], row[r], columns[i]);
}

// `Rows` rows of a, at `stride` bytes, times one panel b. words: a multiple of 4.
template <class Dot, int Rows>
inline void multiply_panel(const char* a, size_t stride, const char* b, size_t words,
                           typename Dot::Sum (&sum)[Rows][4]) {
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
}

// The same, into out: [Rows, 16] floats at `out_stride` floats.
template <class Dot, int Rows>
void multiply_rows(const char* a, size_t stride, const char* b, size_t words, float* out, size_t out_stride) {
  typename Dot::Sum sum[Rows][4];
  multiply_panel<Dot, Rows>(a, stride, b, words, sum);
  for (int r = 0; r < Rows; ++r)
    for (int i = 0; i < 4; ++i) vst1q_f32(out + static_cast<size_t>(r) * out_stride + 4 * i, sum[r][i]);
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

// sums: [rows, 16] become results of the columns whose scales (null for 1) and biases are given.
using Finish = void(const float* sums, size_t rows, const float* scales, const float* biases, char* to,
                    size_t stride);

template <Activation A, ResultKind K>
void finish(const float* sums, size_t rows, const float* scales, const float* biases, char* to,
            size_t stride) {
  for (size_t r = 0; r < rows; ++r, sums += kHalfPanel, to += stride)
    for (size_t i = 0; i < kHalfPanel; i += 4) {
      const float32x4_t sum = vld1q_f32(sums + i), bias = vld1q_f32(biases + i);
      const float32x4_t y =
          activate<A>(scales == nullptr ? vaddq_f32(sum, bias) : vfmaq_f32(bias, sum, vld1q_f32(scales + i)));
      auto* const floats = reinterpret_cast<float*>(to) + i;
      if constexpr (K == ResultKind::kF32) vst1q_f32(floats, y);
      if constexpr (K == ResultKind::kAddF32) vst1q_f32(floats, vaddq_f32(vld1q_f32(floats), y));
      if constexpr (K == ResultKind::kBf16) vst1_u16(reinterpret_cast<uint16_t*>(to) + i, round_to_bf16(y));
    }
}

template <Activation A>
Finish* finish_for(ResultKind kind) {
  switch (kind) {
    case ResultKind::kF32:
      return finish<A, ResultKind::kF32>;
    case ResultKind::kAddF32:
      return finish<A, ResultKind::kAddF32>;
    case ResultKind::kBf16:
      return finish<A, ResultKind::kBf16>;
  }
  return nullptr;
}

[[maybe_unused]] Finish* finish_for(const Result& y) {
  switch (y.activation) {
    case Activation::kNone:
      return finish_for<Activation::kNone>(y.kind);
    case Activation::kGeluErf:
      return finish_for<Activation::kGeluErf>(y.kind);
    case Activation::kGeluTanh:
      return finish_for<Activation::kGeluTanh>(y.kind);
  }
  return nullptr;
}

// Where the results of row `row` and the columns from `column` go.
[[maybe_unused]] inline char* result_at(const Result& y, size_t row, size_t column) {
  const size_t element = y.kind == ResultKind::kBf16 ? sizeof(uint16_t) : sizeof(float);
  return static_cast<char*>(y.data) + row * y.stride + column * element;
}

// Linear layers whose sums are float32: panels, then the biases.
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
      const size_t panel = (first + j) / kHalfPanel, column = (first + j) % kHalfPanel;
      Element* const to = static_cast<Element*>(packed) + (panel * shape.in * kHalfPanel + column * kInWord);
      const float* const from = weight + j * shape.in;
      for (size_t k = 0; k < shape.in; ++k)
        to[k / kInWord * kHalfPanel * kInWord + k % kInWord] = convert(from[k]);
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
    alignas(16) float sums[kBlockRows * kHalfPanel];
    for (size_t column = first; column < first + columns; column += kHalfPanel) {
      const char* const panel = row_of<char>(packed, row_bytes, column);
      for (size_t block = 0; block < blocks.count; ++block) {
        const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
        kMultiplyRows<Dot>[height](row_of<char>(x.data, x.stride, row), x.stride, panel, row_bytes / 4, sums,
                                   kHalfPanel);
        finish(sums, height, nullptr, biases + column, result_at(y, row, column), y.stride);
      }
    }
  }
};

}  // namespace
}  // namespace gteway::kernels
