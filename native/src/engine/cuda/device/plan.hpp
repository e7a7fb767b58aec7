// Where things lie and how work is cut: plain host code, decided by numbers alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/cuda/device/attention_items.hpp"
#include "engine/cuda/device/batch.cuh"

namespace gteway::cuda {

constexpr size_t kAlignment = 256;  // of every array on the device: cudaMalloc's own

constexpr size_t align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Byte offsets within the block of memory that goes up with a batch.
struct UploadLayout {
  size_t offsets, ids, positions, items, bytes;

  static constexpr UploadLayout of(size_t tokens, size_t sequences, size_t items) {
    UploadLayout layout = {};
    layout.offsets = sizeof(BatchHeader);
    layout.ids = layout.offsets + (sequences + 1) * sizeof(uint32_t);
    layout.positions = layout.ids + tokens * sizeof(int32_t);
    layout.items = layout.positions + tokens * sizeof(uint32_t);
    layout.bytes = layout.items + items * sizeof(AttentionItem);
    return layout;
  }
  // No batch of so many tokens needs more: each sequence and each item has at least one.
  static constexpr size_t bound(size_t tokens) { return of(tokens, tokens, tokens).bytes; }
};

// Byte offsets within a lane's working memory.
struct WorkspaceLayout {
  size_t sum;         // float32 [tokens, hidden]
  size_t statistics;  // float2 [tokens]
  size_t x;           // 16-bit [tokens, hidden]
  size_t qkv;         // 16-bit [tokens, 3 hidden]
  size_t context;     // 16-bit [tokens, hidden]
  size_t inner;       // 16-bit [tokens, intermediate]: in the place of qkv and context, which it follows
  size_t out;         // float32 [tokens, hidden] at most, in the same place once more
  size_t bytes;

  static constexpr WorkspaceLayout of(size_t tokens, size_t hidden, size_t intermediate) {
    WorkspaceLayout layout = {};
    layout.statistics = align(tokens * hidden * 4);
    layout.x = layout.statistics + align(tokens * 8);
    layout.qkv = layout.x + align(tokens * hidden * 2);
    layout.context = layout.qkv + align(tokens * 3 * hidden * 2);
    layout.inner = layout.qkv;
    layout.out = layout.qkv;
    layout.bytes =
        std::max({layout.context + align(tokens * hidden * 2),
                  layout.inner + align(tokens * intermediate * 2), layout.out + align(tokens * hidden * 4)});
    return layout;
  }
};

// The next part of a batch, from sequence `first` on: as many whole sequences as fit. A sequence too large
// for the limits goes alone. offsets: [sequences + 1].
struct BatchPart {
  size_t first, last;  // sequences [first, last)
};
inline BatchPart next_part(std::span<const uint32_t> offsets, size_t first, size_t max_tokens,
                           size_t max_sequences) {
  size_t last = first + 1;
  while (last + 1 < offsets.size() && last - first < max_sequences &&
         offsets[last + 1] - offsets[first] <= max_tokens)
    ++last;
  return {first, last};
}

// Lone texts run as graphs, captured once for each class of lengths: up to 16, 32, 64, … tokens.
constexpr uint32_t kSmallestGraph = 16;
constexpr uint32_t kLargestGraph = 512;
constexpr size_t kGraphs = 6;
constexpr size_t graph_index(uint32_t length) {
  size_t index = 0;
  for (uint32_t most = kSmallestGraph; most < length; most *= 2) ++index;
  return index;
}
constexpr uint32_t graph_tokens(size_t index) { return kSmallestGraph << index; }
static_assert(graph_tokens(kGraphs - 1) == kLargestGraph);

}  // namespace gteway::cuda
