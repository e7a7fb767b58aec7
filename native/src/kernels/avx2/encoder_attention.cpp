// Attention in float32: see avx512/encoder_attention.hpp, whose plan this follows with panels of 16.
#include "kernels/avx2/encoder_math.hpp"

namespace gteway::kernels::avx2 {
namespace {

struct Scratch {
  Scratch(size_t tokens, size_t head_size)
      : keys(round_up(tokens, kHalfPanel)),
        values(keys * head_size),
        scores(2 * values),
        floats(scores + kBlockRows * keys) {}
  size_t keys;                    // padded
  size_t values, scores, floats;  // where they begin; the end
};

// Keys as panels [head_size, 16 keys], values as panels [tokens, 16 dimensions].
void pack(const AttentionHead& head, const Scratch& at, float* scratch) {
  for (size_t j = 0; j < at.keys; ++j) {
    float* const to = scratch + j / kHalfPanel * kHalfPanel * head.head_size + j % kHalfPanel;
    if (j < head.tokens) {
      const float* const key = row_of<float>(head.k, head.stride, j);
      for (size_t d = 0; d < head.head_size; ++d) to[d * kHalfPanel] = key[d];
    } else {
      for (size_t d = 0; d < head.head_size; ++d) to[d * kHalfPanel] = 0;
    }
  }
  for (size_t d = 0; d < head.head_size; d += kHalfPanel)
    for (size_t j = 0; j < head.tokens; ++j) {
      const float* const from = row_of<float>(head.v, head.stride, j) + d;
      float* const to = scratch + at.values + d * at.keys + j * kHalfPanel;
      _mm256_storeu_ps(to, _mm256_loadu_ps(from));
      _mm256_storeu_ps(to + 8, _mm256_loadu_ps(from + 8));
    }
}

// scores: [keys] of one query, made softmax weights; returns their sum.
float soften(float* scores, size_t tokens, size_t keys) {
  for (size_t j = tokens; j < keys; ++j) scores[j] = -__builtin_inff();
  __m256 most = _mm256_loadu_ps(scores);
  for (size_t j = 8; j < keys; j += 8) most = _mm256_max_ps(most, _mm256_loadu_ps(scores + j));
  const __m256 largest = _mm256_set1_ps(max_lanes(most));
  __m256 sum = _mm256_setzero_ps();
  for (size_t j = 0; j < keys; j += 8) {
    const __m256 x = exp2_of_negative(_mm256_sub_ps(_mm256_loadu_ps(scores + j), largest));
    sum = _mm256_add_ps(sum, x);
    _mm256_storeu_ps(scores + j, x);
  }
  return sum_lanes(sum);
}

}  // namespace

size_t attention_scratch_f32(size_t tokens, size_t head_size) noexcept {
  return Scratch(tokens, head_size).floats * sizeof(float);
}

void attention_f32(const AttentionHead& head, void* scratch) noexcept {
  const Scratch at(head.tokens, head.head_size);
  float* const keys = static_cast<float*>(scratch);
  float* const scores = keys + at.scores;
  pack(head, at, keys);
  const RowBlocks blocks(head.tokens);
  alignas(32) float sums[kBlockRows * kHalfPanel];
  float scales[kBlockRows];
  for (size_t block = 0; block < blocks.count; ++block) {
    const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
    MultiplyRows* const multiply = kMultiplyRows[height];
    for (size_t key = 0; key < at.keys; key += kHalfPanel)
      multiply(row_of<char>(head.q, head.stride, row), head.stride, keys + key * head.head_size,
               head.head_size, scores + key, at.keys);
    for (size_t r = 0; r < height; ++r) scales[r] = 1 / soften(scores + r * at.keys, head.tokens, at.keys);
    for (size_t d = 0; d < head.head_size; d += kHalfPanel) {
      multiply(reinterpret_cast<const char*>(scores), at.keys * sizeof(float), keys + at.values + d * at.keys,
               head.tokens, sums, kHalfPanel);
      for (size_t r = 0; r < height; ++r) {
        float* const out = row_of<float>(head.out, head.out_stride, row + r) + d;
        const __m256 scale = _mm256_set1_ps(scales[r]);
        _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_load_ps(sums + r * kHalfPanel), scale));
        _mm256_storeu_ps(out + 8, _mm256_mul_ps(_mm256_load_ps(sums + r * kHalfPanel + 8), scale));
      }
    }
  }
}

}  // namespace gteway::kernels::avx2
