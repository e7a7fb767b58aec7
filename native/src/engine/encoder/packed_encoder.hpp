// An encoder's weights as its kernels want them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "kernels/encoder_kernels.hpp"

namespace gteway {

// What the operands of a product are.
enum class Precision { kF32, kBf16, kInt8 };

// The kernels that multiply in one precision, and the shape and packed weights of one layer for them.
struct PackedLinear {
  Precision precision = Precision::kF32;
  kernels::LinearShape shape{};
  const std::byte* data = nullptr;
  kernels::MultiplyLinear* multiply = nullptr;
};

struct PackedLayer {
  PackedLinear qkv;  // queries (scaled by log2 e / sqrt(head_size)), keys and values beside each other
  PackedLinear attention_output;
  PackedLinear up;
  PackedLinear down;
  kernels::LayerNormalization attention_norm{};
  kernels::LayerNormalization output_norm{};
};

class PackedEncoder {
 public:
  // See pack_encoder(). For the kernels in use unless tests name others.
  PackedEncoder(const EncoderWeights& weights, std::string_view dtype, size_t threads,
                const StopFlag& stop = StopFlag(),
                const kernels::EncoderKernels& set = kernels::encoder_kernels());

  EncoderConfig config;
  std::string dtype;
  kernels::EncoderTable kernel{};
  Precision words_precision = Precision::kF32;      // kF32 or kBf16
  Precision attention_precision = Precision::kF32;  // likewise
  const std::byte* words = nullptr;                 // [vocabulary, hidden]
  const float* positions = nullptr;                 // [positions, hidden], token type 0 added
  kernels::LayerNormalization embedding_norm{};
  std::vector<PackedLayer> layers;

  size_t bytes() const noexcept { return memory_.size(); }

 private:
  AlignedBuffer memory_;  // all of the above
};

// Bytes of one element.
constexpr size_t element_bytes(Precision precision) {
  return precision == Precision::kF32 ? 4 : precision == Precision::kBf16 ? 2 : 1;
}

}  // namespace gteway
