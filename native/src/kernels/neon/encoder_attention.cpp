// Attention in float32.
#include "kernels/neon/encoder_attention.hpp"

namespace gteway::kernels::neon {

size_t attention_scratch_f32(size_t tokens, size_t head_size) noexcept {
  return Attention<DotF32>::Scratch(tokens, head_size).bytes;
}

void attention_f32(const AttentionHead& head, void* scratch) noexcept {
  Attention<DotF32>::attend(head, scratch);
}

}  // namespace gteway::kernels::neon
