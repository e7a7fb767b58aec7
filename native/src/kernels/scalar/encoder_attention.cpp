// One head of one sequence, query by query.
#include <cmath>

#include "kernels/scalar/encoder_numbers.hpp"

namespace gteway::kernels::scalar {
namespace {

float same(float x) { return x; }

// scratch: the scores of one query, [tokens].
template <class T, float (*Widen)(T), T (*Narrow)(float)>
void attend(const AttentionHead& head, void* scratch) {
  float* const scores = static_cast<float*>(scratch);
  for (size_t i = 0; i < head.tokens; ++i) {
    const T* const q = row_of<T>(head.q, head.stride, i);
    float largest = -INFINITY;
    const size_t begin = i > head.reach ? i - head.reach : 0;
    const size_t end = head.tokens - 1 - i > head.reach ? i + head.reach + 1 : head.tokens;
    for (size_t j = begin; j < end; ++j) {
      const T* const k = row_of<T>(head.k, head.stride, j);
      float score = 0;
      for (size_t d = 0; d < head.head_size; ++d) score += Widen(q[d]) * Widen(k[d]);
      if (head.bias != nullptr) score += head.bias[static_cast<ptrdiff_t>(j) - static_cast<ptrdiff_t>(i)];
      scores[j] = score;
      largest = score > largest ? score : largest;
    }
    float total = 0;
    for (size_t j = begin; j < end; ++j) {
      const float weight = std::exp2(scores[j] - largest);
      total += weight;
      scores[j] = Widen(Narrow(weight));
    }
    T* const out = row_of<T>(head.out, head.out_stride, i);
    for (size_t d = 0; d < head.head_size; ++d) {
      float sum = 0;
      for (size_t j = begin; j < end; ++j) sum += scores[j] * Widen(row_of<T>(head.v, head.stride, j)[d]);
      out[d] = Narrow(sum / total);
    }
  }
}

}  // namespace

size_t attention_scratch_f32(size_t tokens, size_t) noexcept { return tokens * sizeof(float); }
size_t attention_scratch_bf16(size_t tokens, size_t) noexcept { return tokens * sizeof(float); }

void attention_f32(const AttentionHead& head, void* scratch) noexcept {
  attend<float, same, same>(head, scratch);
}

void attention_bf16(const AttentionHead& head, void* scratch) noexcept {
  attend<uint16_t, from_bf16, to_bf16>(head, scratch);
}

}  // namespace gteway::kernels::scalar
