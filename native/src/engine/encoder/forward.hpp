// The encoder's layers over one ragged batch.
#pragma once

#include <array>
#include <atomic>
#include <string_view>

#include "engine/batch.hpp"
#include "engine/encoder/crew.hpp"
#include "engine/encoder/packed_encoder.hpp"
#include "engine/encoder/workspace.hpp"

namespace gteway {

// Where the time of a forward pass goes, in seconds of one thread by a clock of the caller's choice; for
// benches.
struct PhaseTimes {
  double (*clock)() noexcept;
  enum Phase { kEmbedding, kQkv, kAttention, kAttentionOutput, kNorm, kUp, kQuantize, kDown, kPhases };
  static constexpr std::array<std::string_view, kPhases> kNames = {
      "embedding", "qkv", "attention", "attention output", "norm", "up + gelu", "quantize", "down"};
  std::array<double, kPhases> seconds{};
};

// Where a pass begins and ends, of an encoder in float32 that is packed some layers at a time.
struct Stretch {
  bool embeds = true;  // false: workspace.x holds the rows of the layer before
  bool ends = true;    // false: more layers follow
};

// Runs the encoder; workspace.x holds the last layer's rows afterwards. The batch must fit the workspace; ids
// are valid. `crew`, on shift, shares the work; null: this thread does it all. Returns false when
// `terminated` was seen to be set between two layers.
bool forward(const PackedEncoder& encoder, const RaggedBatch& batch, Workspace& workspace, Crew* crew,
             const std::atomic<bool>& terminated, PhaseTimes* times = nullptr,
             const Stretch& stretch = {}) noexcept;

}  // namespace gteway
