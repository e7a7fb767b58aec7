// Attention in float32.
#include "kernels/avx512/encoder_attention.hpp"

namespace gteway::kernels::avx512 {
namespace {

struct FormatF32 {
  using Dot = DotF32;
  static void pack_values(const float* row, const float*, char* to) {
    _mm512_store_ps(to, _mm512_loadu_ps(row));
    _mm512_store_ps(to + 64, _mm512_loadu_ps(row + 16));
  }
  static void store_weights(float* to, __m512 x) { _mm512_store_ps(to, x); }
  static void store_output(float* to, __m512 x) { _mm512_storeu_ps(to, x); }
};

}  // namespace

size_t attention_scratch_f32(size_t tokens, size_t head_size) noexcept {
  return Attention<FormatF32>::Scratch(tokens, head_size).bytes;
}

void attention_f32(const AttentionHead& head, void* scratch) noexcept {
  Attention<FormatF32>::attend(head, scratch);
}

}  // namespace gteway::kernels::avx512
