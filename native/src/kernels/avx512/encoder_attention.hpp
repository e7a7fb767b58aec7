// One head of one sequence. Keys are packed like the weights of a layer (panels of 32 keys), values like
// those of the next (panels of 32 dimensions), and up to 14 queries at a time go through both, so that their
// scores stay in the first-level cache.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/encoder_product.hpp"

namespace gteway::kernels {
namespace {

// out[i] lane j = in[j] lane i.
[[maybe_unused]] inline void transpose16(__m512i (&x)[16]) {
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

// Element: float, or uint16_t for bfloat16. Format has
//   Dot
//   pack_values(first row, second row or null, to): one word-row of a values panel, 32 dimensions
//   store_weights(to, x)   16 softmax weights
//   store_output(to, x)    16 outputs
template <class Format>
struct Attention {
  using Element = typename Format::Dot::Element;
  static constexpr size_t kInWord = 4 / sizeof(Element);

  struct Scratch {
    Scratch(size_t tokens, size_t head_size)
        : keys(round_up(tokens, 32)),
          values(keys * head_size * sizeof(Element)),
          scores(2 * values),
          weights(scores + kBlockRows * keys * sizeof(float)),
          bytes(sizeof(Element) == sizeof(float) ? weights : weights + kBlockRows * keys * sizeof(Element)) {}
    size_t keys;                     // padded
    size_t values, scores, weights;  // where they begin, in bytes; weights in float32 replace the scores
    size_t bytes;
  };

  static void pack_keys(const AttentionHead& head, size_t keys, char* packed) {
    const size_t words = head.head_size / kInWord;
    for (size_t first = 0; first < keys; first += 16) {
      char* const to = packed + first / 32 * words * 128 + first % 32 * 4;
      for (size_t word = 0; word < words; word += 16) {
        __m512i x[16];
#pragma GCC unroll 16
        for (size_t j = 0; j < 16; ++j)
          x[j] = first + j < head.tokens
                     ? _mm512_loadu_si512(row_of<char>(head.k, head.stride, first + j) + word * 4)
                     : _mm512_setzero_si512();
        transpose16(x);
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; ++i) _mm512_store_si512(to + (word + i) * 128, x[i]);
      }
    }
  }

  static void pack_values(const AttentionHead& head, size_t keys, char* packed) {
    const size_t words = keys / kInWord, used = (head.tokens + kInWord - 1) / kInWord;
    for (size_t first = 0; first < head.head_size; first += kPanelColumns)
      for (size_t word = 0; word < used; ++word) {
        const size_t row = word * kInWord;
        const Element* const values = row_of<Element>(head.v, head.stride, row) + first;
        const Element* const next =
            row + 1 < head.tokens ? row_of<Element>(head.v, head.stride, row + 1) + first : nullptr;
        Format::pack_values(values, next, packed + first * words * 4 + word * 128);
      }
  }

  // scores: [keys] of one query, made softmax weights in `weights`; returns their sum.
  static float soften(float* scores, size_t tokens, size_t keys, Element* weights) {
    const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
    // The rest of the last panels are no keys.
    for (size_t j = tokens / 16 * 16; j < keys; j += 16) {
      const __mmask16 are_keys = j + 16 <= tokens ? 0xffff
                                 : j >= tokens    ? 0
                                                  : static_cast<__mmask16>((1u << (tokens - j)) - 1);
      _mm512_store_ps(scores + j, _mm512_mask_loadu_ps(lowest, are_keys, scores + j));
    }
    __m512 most = _mm512_load_ps(scores), most1 = _mm512_load_ps(scores + 16);
    for (size_t j = 32; j < keys; j += 32) {
      most = _mm512_max_ps(most, _mm512_load_ps(scores + j));
      most1 = _mm512_max_ps(most1, _mm512_load_ps(scores + j + 16));
    }
    const __m512 largest = _mm512_set1_ps(_mm512_reduce_max_ps(_mm512_max_ps(most, most1)));
    __m512 sum = _mm512_setzero_ps(), sum1 = _mm512_setzero_ps();
    for (size_t j = 0; j < keys; j += 32) {
      const __m512 x = exp2_of_negative(_mm512_sub_ps(_mm512_load_ps(scores + j), largest));
      const __m512 x1 = exp2_of_negative(_mm512_sub_ps(_mm512_load_ps(scores + j + 16), largest));
      sum = _mm512_add_ps(sum, x);
      sum1 = _mm512_add_ps(sum1, x1);
      Format::store_weights(weights + j, x);
      Format::store_weights(weights + j + 16, x1);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum, sum1));
  }

  static void attend(const AttentionHead& head, void* scratch) {
    const Scratch at(head.tokens, head.head_size);
    char* const base = static_cast<char*>(scratch);
    char* const packed_keys = base;
    char* const packed_values = base + at.values;
    float* const scores = reinterpret_cast<float*>(base + at.scores);
    Element* const weights =
        reinterpret_cast<Element*>(base + (sizeof(Element) == sizeof(float) ? at.scores : at.weights));
    pack_keys(head, at.keys, packed_keys);
    pack_values(head, at.keys, packed_values);

    const size_t words = head.head_size / kInWord;
    const size_t key_words = (head.tokens + kInWord - 1) / kInWord;
    const RowBlocks blocks(head.tokens);
    alignas(64) float sums[kBlockRows * kPanelColumns];
    float scales[kBlockRows];
    for (size_t block = 0; block < blocks.count; ++block) {
      const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
      MultiplyRows* const multiply = kMultiplyRows<typename Format::Dot>[height];
      for (size_t key = 0; key < at.keys; key += kPanelColumns)
        multiply(row_of<char>(head.q, head.stride, row), head.stride, packed_keys + key * words * 4, words,
                 scores + key, at.keys, nothing_ahead(packed_keys));
      for (size_t r = 0; r < height; ++r)
        scales[r] = 1 / soften(scores + r * at.keys, head.tokens, at.keys, weights + r * at.keys);
      for (size_t d = 0; d < head.head_size; d += kPanelColumns) {
        multiply(reinterpret_cast<const char*>(weights), at.keys * sizeof(Element),
                 packed_values + d * (at.keys / kInWord) * 4, key_words, sums, kPanelColumns,
                 nothing_ahead(packed_values));
        for (size_t r = 0; r < height; ++r) {
          Element* const out = row_of<Element>(head.out, head.out_stride, row + r) + d;
          const __m512 scale = _mm512_set1_ps(scales[r]);
          Format::store_output(out, _mm512_mul_ps(_mm512_load_ps(sums + r * 32), scale));
          Format::store_output(out + 16, _mm512_mul_ps(_mm512_load_ps(sums + r * 32 + 16), scale));
        }
      }
    }
  }
};

}  // namespace
}  // namespace gteway::kernels
