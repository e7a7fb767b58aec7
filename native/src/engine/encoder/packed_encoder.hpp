// An encoder's weights as its kernels want them.
#pragma once

#include <cstddef>
#include <optional>
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

// EncoderLayer says what they are for.
struct PackedLayer {
  PackedLinear qkv;  // queries (scaled by log2 e / sqrt(head_size)), keys and values beside each other
  PackedLinear attention_output;
  PackedLinear gate;  // where the network is gated
  PackedLinear up;
  PackedLinear down;
  kernels::LayerNormalization attention_norm{};
  kernels::LayerNormalization output_norm{};
  const float* turns =
      nullptr;  // [positions, head_size], as the kernels want them; null: heads are not turned
  size_t reach = LayerAttention::kEverywhere;
};

// ClassificationHead says what it computes; in float32 whatever the encoder does.
struct PackedHead {
  bool mean = false;
  PackedLinear dense;
  Activation activation = Activation::kTanh;
  kernels::LayerNormalization norm{};  // gamma null: none
  PackedLinear classifier;             // of whole panels: columns behind the labels are 0
  size_t labels = 0;
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
  // For each of `types` token types [position_rows, hidden], the type's row added; one row for all positions
  // where they are not added.
  const float* positions = nullptr;
  size_t position_rows = 0;
  size_t types = 1;  // that tokens can have; more than one where there is a head, which reads pairs
  kernels::LayerNormalization embedding_norm{};
  kernels::LayerNormalization final_norm{};  // with NormPlace::kPre
  std::vector<PackedLayer> layers;
  std::optional<PackedHead> head;

  size_t bytes() const noexcept { return memory_.size(); }

  // What is added to a head's scores, by the key's distance from the query; null: nothing.
  const float* bias_of(size_t which) const noexcept {
    return biases_ == nullptr ? nullptr : biases_ + which * bias_stride_ + config.positions - 1;
  }

 private:
  const float* biases_ = nullptr;  // [heads, bias_stride_], times log2 e, from distance 1 - positions on
  size_t bias_stride_ = 0;
  AlignedBuffer memory_;  // all of the above
};

// Bytes of one element.
constexpr size_t element_bytes(Precision precision) {
  return precision == Precision::kF32 ? 4 : precision == Precision::kBf16 ? 2 : 1;
}

}  // namespace gteway
