// Attention in bfloat16: scores, softmax and sums are float32.
#include "kernels/neon/encoder_attention.hpp"

#include "kernels/neonbf16/encoder_dot.hpp"

namespace gteway::kernels::neonbf16 {

size_t attention_scratch_bf16(size_t tokens, size_t head_size) noexcept {
  return Attention<DotBf16>::Scratch(tokens, head_size).bytes;
}

void attention_bf16(const AttentionHead& head, void* scratch) noexcept {
  Attention<DotBf16>::attend(head, scratch);
}

}  // namespace gteway::kernels::neonbf16
