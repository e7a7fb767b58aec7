#include "engine/encoder/workspace.hpp"

#include <algorithm>

#include "kernels/encoder_layout.hpp"

namespace gteway {
namespace {

using kernels::round_up;

size_t groups_of(const PackedLinear& layer) {
  return layer.shape.group == 0 ? 0 : kernels::groups_of(layer.shape.in, layer.shape.group);
}

}  // namespace

void Workspace::reserve(const PackedEncoder& encoder, size_t tokens, size_t longest, size_t threads) {
  if (tokens <= tokens_ && longest <= longest_ && threads <= threads_) return;
  tokens = std::max(tokens, tokens_);
  longest = std::max(longest, longest_);
  threads = std::max(threads, threads_);

  const EncoderConfig& config = encoder.config;
  const Precision attention = encoder.attention_precision;
  const Precision products = encoder.layers.empty() ? Precision::kF32 : encoder.layers[0].qkv.precision;
  const size_t scratch = round_up(attention == Precision::kF32
                                      ? encoder.kernel.attention_scratch_f32(longest, config.head_size)
                                      : encoder.kernel.attention_scratch_bf16(longest, config.head_size),
                                  64);
  Workspace placed;
  const auto lay_out = [&](std::byte* base) {
    size_t used = 0;
    const auto take = [&](size_t bytes) {
      std::byte* const at = base == nullptr ? nullptr : base + used;
      used += round_up(bytes, 64);
      return at;
    };
    // An odd number of lines between rows: rows a power of two apart would share a few sets of the cache.
    const auto take_rows = [&](size_t columns, Precision precision) {
      const size_t stride = round_up(columns * element_bytes(precision), 64) | 64;
      return Rows{take(tokens * stride), stride};
    };
    placed.x = take_rows(config.hidden, Precision::kF32);
    placed.normed =
        config.norm_place == NormPlace::kPost ? placed.x : take_rows(config.hidden, Precision::kF32);
    placed.operand = products == Precision::kF32 ? placed.normed : take_rows(config.hidden, products);
    placed.scratch_ = take(threads * scratch);
    if (products == Precision::kInt8 && !encoder.layers.empty()) {
      const auto take_scales = [&](const PackedLinear& layer) {
        return reinterpret_cast<kernels::Quantization*>(
            take(tokens * groups_of(layer) * sizeof(kernels::Quantization)));
      };
      placed.operand_quantization = take_scales(encoder.layers[0].qkv);
      placed.inner_quantization = take_scales(encoder.layers[0].down);
    }
    // What attention needs is dead when the rest of the layer begins.
    const size_t shared = used;
    placed.qkv = take_rows(3 * config.hidden, attention);
    placed.context = take_rows(config.hidden, attention);
    const size_t with_attention = used;
    used = shared;
    placed.inner = take_rows(config.intermediate, products);
    const bool narrows = products == Precision::kInt8 || (config.gated && products == Precision::kBf16);
    placed.gelu = narrows ? take_rows(config.intermediate, Precision::kF32) : placed.inner;
    used = std::max(used, with_attention);
    return used;
  };
  placed.memory_ = AlignedBuffer(lay_out(nullptr));
  lay_out(placed.memory_.data());
  placed.scratch_bytes_ = scratch;
  placed.tokens_ = tokens;
  placed.longest_ = longest;
  placed.threads_ = threads;
  *this = std::move(placed);
}

}  // namespace gteway
