// A ragged batch: token ids of all sequences end to end, and where each begins. No padding exists in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace gteway {

enum class Pooling {
  kMean,   // the mean over a sequence's tokens, [CLS] and [SEP] included
  kCls,    // the first token's row
  kNone,   // every token's row
  kScore,  // what the model's classification head makes of the sequence: raw logits, never normalised
};

struct RaggedBatch {
  std::span<const int32_t> ids;       // [tokens]
  std::span<const uint32_t> offsets;  // [sequences + 1]; sequence i is ids[offsets[i], offsets[i + 1])
  // [tokens]: which of a pair's two texts each token is of (token_type_ids). Empty: 0 throughout.
  std::span<const int32_t> types = {};

  size_t size() const noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }
  size_t tokens() const noexcept { return ids.size(); }
  size_t length(size_t i) const noexcept { return offsets[i + 1] - offsets[i]; }
  std::span<const int32_t> sequence(size_t i) const { return ids.subspan(offsets[i], length(i)); }
};

}  // namespace gteway
