// One head of one sequence. Keys are packed like the weights of a layer, values like those of the next
// (panels of dimensions), and a block of queries at a time goes through both, so that their scores stay in
// the first-level cache.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_layout.hpp"
#include "kernels/generic/encoder_math.hpp"
#include "kernels/generic/encoder_product.hpp"

namespace gteway::kernels {
namespace {

// Product::Dot has
//   Element                  float, or uint16_t for bfloat16
//   store(to, low, high)     softmax weights and outputs
//   interleave(row, next, to)  bfloat16 only: kColumns words of two rows, beside each other
template <class Product>
struct Attention {
  using F32 = typename Product::F32;
  using Dot = typename Product::Dot;
  using Element = typename Dot::Element;
  static constexpr size_t kLanes = F32::kLanes, kColumns = Product::kColumns,
                          kBlockRows = Product::kBlockRows, kInWord = 4 / sizeof(Element);

  struct Scratch {
    Scratch(size_t tokens, size_t head_size)
        : keys(round_up(tokens, kColumns)),
          values(keys * head_size * sizeof(Element)),
          scores(2 * values),
          weights(kInWord == 1 ? scores : scores + kBlockRows * keys * sizeof(float)),
          bytes(weights + kBlockRows * keys * sizeof(Element)) {}
    size_t keys;                     // padded
    size_t values, scores, weights;  // where they begin, in bytes; weights in float32 replace the scores
    size_t bytes;
  };

  static size_t scratch_bytes(size_t tokens, size_t head_size) noexcept {
    return Scratch(tokens, head_size).bytes;
  }

  static void pack_values(const AttentionHead& head, size_t keys, size_t words, char* packed) {
    static constexpr Element kZeros[kColumns] = {};
    for (size_t first = 0; first < head.head_size; first += kColumns, packed += keys / kInWord * kColumns * 4)
      for (size_t word = 0; word < words; ++word) {
        const auto values = [&](size_t row) {
          return row < head.tokens ? row_of<Element>(head.v, head.stride, row) + first : kZeros;
        };
        char* const to = packed + word * kColumns * 4;
        if constexpr (kInWord == 2) {
          Dot::interleave(values(2 * word), values(2 * word + 1), to);
        } else {
          const float* const from = values(word);
          for (size_t d = 0; d < kColumns; d += kLanes)
            F32::load(from + d).store(reinterpret_cast<float*>(to) + d);
        }
      }
  }

  static void add_bias(float* scores, size_t keys, const float* bias) {
    for (size_t j = 0; j < keys; j += kLanes) (F32::load(scores + j) + F32::load(bias + j)).store(scores + j);
  }

  // scores: [keys] of one query, of which it sees [begin, end), made softmax weights in `weights`; returns
  // their sum.
  static float soften(float* scores, size_t begin, size_t end, size_t keys, Element* weights) {
    const F32 lowest = F32::of(-__builtin_inff());
    for (size_t j = end / kLanes * kLanes; j < keys; j += kLanes)
      first_lanes(F32::load(scores + j), j < end ? end - j : 0, lowest).store(scores + j);
    for (size_t j = 0; j < begin; j += kLanes)
      first_lanes(lowest, begin - j, F32::load(scores + j)).store(scores + j);
    F32 most[2] = {F32::load(scores), F32::load(scores + kLanes)};
    for (size_t j = 2 * kLanes; j < keys; j += 2 * kLanes) {
      most[0] = max(most[0], F32::load(scores + j));
      most[1] = max(most[1], F32::load(scores + j + kLanes));
    }
    const F32 largest = F32::of(max_lanes(max(most[0], most[1])));
    constexpr size_t kSums = F32::kSoftmaxSums;
    F32 sum[2] = {F32::of(0), F32::of(0)};
    for (size_t j = 0; j < keys; j += 2 * kLanes) {
      const F32 low = exp2_of_negative(F32::load(scores + j) - largest);
      const F32 high = exp2_of_negative(F32::load(scores + j + kLanes) - largest);
      sum[0] = sum[0] + low;
      sum[kSums - 1] = sum[kSums - 1] + high;
      Dot::store(weights + j, low, high);
    }
    return sum_lanes(kSums == 1 ? sum[0] : sum[0] + sum[1]);
  }

  // Behind the last key that a query sees.
  static size_t seen_until(const AttentionHead& head, size_t query) {
    return head.tokens - 1 - query > head.reach ? query + head.reach + 1 : head.tokens;
  }

  static void attend(const AttentionHead& head, void* scratch) noexcept {
    const Scratch at(head.tokens, head.head_size);
    char* const packed_keys = static_cast<char*>(scratch);
    char* const packed_values = packed_keys + at.values;
    float* const scores = reinterpret_cast<float*>(packed_keys + at.scores);
    Element* const weights = reinterpret_cast<Element*>(packed_keys + at.weights);
    const size_t words = head.head_size / kInWord;
    const auto words_of = [](size_t keys) {
      return round_up((keys + kInWord - 1) / kInWord, Product::kWords);
    };
    for (size_t key = 0; key < at.keys; key += kColumns)
      Product::pack_rows(row_of<char>(head.k, head.stride, key), head.stride, head.tokens - key, words,
                         packed_keys + key * words * 4);
    pack_values(head, at.keys, words_of(head.tokens), packed_values);

    const RowBlocks<kBlockRows> blocks(head.tokens);
    alignas(64) float sums[kBlockRows * kColumns];
    float scales[kBlockRows];
    for (size_t block = 0; block < blocks.count; ++block) {
      const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
      // The keys that some of these queries see, from a panel's first on.
      const size_t first = row > head.reach ? (row - head.reach) / kColumns * kColumns : 0;
      const size_t end = seen_until(head, row + height - 1), keys = round_up(end - first, kColumns);
      for (size_t key = 0; key < keys; key += kColumns)
        Product::multiply(height, row_of<char>(head.q, head.stride, row), head.stride,
                          packed_keys + (first + key) * words * 4, words, scores + key, keys,
                          nothing_ahead(packed_keys));
      for (size_t r = 0; r < height; ++r) {
        const size_t query = row + r;
        float* const of_query = scores + r * keys;
        if (head.bias != nullptr)
          add_bias(of_query, keys, head.bias + static_cast<ptrdiff_t>(first) - static_cast<ptrdiff_t>(query));
        const size_t begin = query > head.reach + first ? query - head.reach - first : 0;
        scales[r] = 1 / soften(of_query, begin, seen_until(head, query) - first, keys, weights + r * keys);
      }
      for (size_t d = 0; d < head.head_size; d += kColumns) {
        Product::multiply(height, reinterpret_cast<const char*>(weights), keys * sizeof(Element),
                          packed_values + d * (at.keys / kInWord) * 4 + first / kInWord * kColumns * 4,
                          words_of(end - first), sums, kColumns, nothing_ahead(packed_values));
        for (size_t r = 0; r < height; ++r) {
          Element* const out = row_of<Element>(head.out, head.out_stride, row + r) + d;
          const float* const sum = sums + r * kColumns;
          const F32 scale = F32::of(scales[r]);
          for (size_t i = 0; i < kColumns; i += 2 * kLanes)
            Dot::store(out + i, F32::load(sum + i) * scale, F32::load(sum + i + kLanes) * scale);
        }
      }
    }
  }
};

}  // namespace
}  // namespace gteway::kernels
