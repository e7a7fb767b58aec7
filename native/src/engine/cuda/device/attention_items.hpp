// Cuts the sequences of a batch into the items of the attention kernel, by class: plain host code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/cuda/device/batch.cuh"

namespace gteway::cuda {

inline uint32_t items_of_length(uint32_t length) {
  return divide_up(length, rows_of_class(class_of_length(length)));
}

// How many items fill_attention_items() makes of these sequences. offsets: [sequences + 1].
inline size_t attention_item_bound(std::span<const uint32_t> offsets) {
  size_t count = 0;
  for (size_t i = 0; i + 1 < offsets.size(); ++i) count += items_of_length(offsets[i + 1] - offsets[i]);
  return count;
}

// Within a class items keep the sequences' order: the scheduler sorts its batches by length, which evens out
// what blocks that run together have to do. Sets header.items.
inline void fill_attention_items(std::span<const uint32_t> offsets, std::span<AttentionItem> items,
                                 BatchHeader& header) {
  uint32_t next[kRowClasses] = {};
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    const uint32_t length = offsets[i + 1] - offsets[i];
    next[class_of_length(length)] += items_of_length(length);
  }
  uint32_t begin = 0;
  for (uint32_t c = 0; c < kRowClasses; ++c) {
    header.items[c] = next[c];
    next[c] = begin;
    begin += header.items[c];
  }
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    const uint32_t length = offsets[i + 1] - offsets[i], row_class = class_of_length(length);
    for (uint32_t query = 0; query < length; query += rows_of_class(row_class))
      items[next[row_class]++] = {offsets[i], length, query};
  }
}

}  // namespace gteway::cuda
