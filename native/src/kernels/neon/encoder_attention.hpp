// One head of one sequence: keys and values are packed as panels, and up to 5 queries at a time go through
// both, so that their scores stay in the first-level cache. Internal to every file that includes it.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/neon/encoder_product.hpp"

namespace gteway::kernels {
namespace {

// Element: float, or uint16_t for bfloat16. store(to, x): four elements.
template <class Dot>
struct Attention {
  using Element = typename Dot::Element;
  static constexpr size_t kInWord = 4 / sizeof(Element);

  struct Scratch {
    Scratch(size_t tokens, size_t head_size)
        : keys(round_up(tokens, kHalfPanel)),
          values(keys * head_size * sizeof(Element)),
          scores(2 * values),
          bytes(scores + kBlockRows * keys * sizeof(float)) {}
    size_t keys;            // padded
    size_t values, scores;  // where they begin, in bytes; weights replace scores, from the row's beginning
    size_t bytes;
  };

  static void store(float* to, float32x4_t x) { vst1q_f32(to, x); }
  static void store(uint16_t* to, float32x4_t x) { vst1_u16(to, round_to_bf16(x)); }

  // Panels of 16 keys, a word being `kInWord` dimensions; keys there are none of are zeros.
  static void pack_keys(const AttentionHead& head, size_t keys, Element* packed) {
    for (size_t j = 0; j < keys; ++j) {
      Element* const to = packed + j / kHalfPanel * kHalfPanel * head.head_size + j % kHalfPanel * kInWord;
      const Element* const key = j < head.tokens ? row_of<Element>(head.k, head.stride, j) : nullptr;
      for (size_t d = 0; d < head.head_size; ++d)
        to[d / kInWord * kHalfPanel * kInWord + d % kInWord] = key == nullptr ? Element{0} : key[d];
    }
  }

  // Panels of 16 dimensions, a word being `kInWord` keys.
  static void pack_values(const AttentionHead& head, size_t keys, Element* packed) {
    for (size_t j = 0; j < keys; ++j) {
      const Element* const value = j < head.tokens ? row_of<Element>(head.v, head.stride, j) : nullptr;
      for (size_t d = 0; d < head.head_size; ++d)
        packed[d / kHalfPanel * kHalfPanel * keys + j / kInWord * kHalfPanel * kInWord +
               d % kHalfPanel * kInWord + j % kInWord] = value == nullptr ? Element{0} : value[d];
    }
  }

  // scores: [keys] of one query, made softmax weights from the same address; returns their sum.
  static float soften(float* scores, size_t tokens, size_t keys) {
    for (size_t j = tokens; j < keys; ++j) scores[j] = -__builtin_inff();
    float32x4_t most = vld1q_f32(scores);
    for (size_t j = 4; j < keys; j += 4) most = vmaxq_f32(most, vld1q_f32(scores + j));
    const float32x4_t largest = vdupq_n_f32(vmaxvq_f32(most));
    float32x4_t sum = vdupq_n_f32(0);
    for (size_t j = 0; j < keys; j += 4) {
      const float32x4_t x = exp2_of_negative(vsubq_f32(vld1q_f32(scores + j), largest));
      sum = vaddq_f32(sum, x);
      store(reinterpret_cast<Element*>(scores) + j, x);
    }
    return vaddvq_f32(sum);
  }

  static void attend(const AttentionHead& head, void* scratch) {
    const Scratch at(head.tokens, head.head_size);
    char* const keys = static_cast<char*>(scratch);
    char* const values = keys + at.values;
    float* const scores = reinterpret_cast<float*>(keys + at.scores);
    pack_keys(head, at.keys, reinterpret_cast<Element*>(keys));
    pack_values(head, at.keys, reinterpret_cast<Element*>(values));
    const RowBlocks blocks(head.tokens);
    alignas(16) float sums[kBlockRows * kHalfPanel];
    float scales[kBlockRows];
    for (size_t block = 0; block < blocks.count; ++block) {
      const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
      MultiplyRows* const multiply = kMultiplyRows<Dot>[height];
      for (size_t key = 0; key < at.keys; key += kHalfPanel)
        multiply(row_of<char>(head.q, head.stride, row), head.stride,
                 keys + key * head.head_size * sizeof(Element), head.head_size / kInWord, scores + key,
                 at.keys);
      for (size_t r = 0; r < height; ++r) scales[r] = 1 / soften(scores + r * at.keys, head.tokens, at.keys);
      for (size_t d = 0; d < head.head_size; d += kHalfPanel) {
        multiply(reinterpret_cast<const char*>(scores), at.keys * sizeof(float),
                 values + d * at.keys * sizeof(Element), at.keys / kInWord, sums, kHalfPanel);
        for (size_t r = 0; r < height; ++r) {
          Element* const out = row_of<Element>(head.out, head.out_stride, row + r) + d;
          for (size_t i = 0; i < kHalfPanel; i += 4)
            store(out + i, vmulq_n_f32(vld1q_f32(sums + r * kHalfPanel + i), scales[r]));
        }
      }
    }
  }
};

}  // namespace
}  // namespace gteway::kernels
