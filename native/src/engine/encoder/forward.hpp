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

// One member's part: every member calls it with the same arguments but `member` and `times`. The batch must
// fit the workspace; ids are valid. Afterwards workspace.x holds the last layer's rows, once all have
// returned. Returns false when `terminated` was seen to be set, by all members alike.
bool forward(const PackedEncoder& encoder, const RaggedBatch& batch, Workspace& workspace,
             const std::atomic<bool>& terminated, std::atomic<bool>& stop, Member member,
             PhaseTimes* times = nullptr) noexcept;

}  // namespace gteway
