#include "tokenizer/double_array.hpp"

#include <algorithm>
#include <numeric>

namespace gteway {

// Places are handed out in blocks of 256, so that base ^ byte never leaves the array.
static constexpr uint32_t kBlock = 256;

DoubleArray::DoubleArray(std::span<const std::vector<Key>> groups) {
  grow();

  struct Range {
    uint32_t node;
    size_t group, first, last, depth;
  };
  std::vector<std::vector<Key>> sorted(groups.begin(), groups.end());
  std::vector<Range> level;
  for (size_t group = 0; group < sorted.size(); ++group) {
    std::stable_sort(sorted[group].begin(), sorted[group].end(),
                     [](const Key& a, const Key& b) { return a.bytes < b.bytes; });
    if (next_free_[0] == 0) grow();
    const uint32_t root = next_free_[0];
    take(root);
    roots_.push_back(root);
    level.push_back({root, group, 0, sorted[group].size(), 0});
  }

  while (!level.empty()) {
    std::vector<Range> below;
    for (const Range& range : level) {
      const std::vector<Key>& keys = sorted[range.group];
      size_t at = range.first;
      while (at < range.last && keys[at].bytes.size() == range.depth) {
        if (range.depth > 0 && values_[range.node] < 0) values_[range.node] = keys[at].value;
        ++at;
      }
      std::vector<unsigned char> bytes;
      std::vector<size_t> firsts;
      for (; at < range.last; ++at) {
        const auto byte = static_cast<unsigned char>(keys[at].bytes[range.depth]);
        if (bytes.empty() || bytes.back() != byte) {
          bytes.push_back(byte);
          firsts.push_back(at);
        }
      }
      if (bytes.empty()) continue;
      firsts.push_back(range.last);
      const uint32_t base = place(bytes);
      units_[range.node].base = base;
      for (size_t i = 0; i < bytes.size(); ++i) {
        const uint32_t child = base ^ bytes[i];
        take(child);
        units_[child].parent = range.node;
        edges_.push_back({range.node, child, bytes[i]});
        below.push_back({child, range.group, firsts[i], firsts[i + 1], range.depth + 1});
      }
    }
    level = std::move(below);
  }
  next_free_ = previous_free_ = {};
}

// A base for which every base ^ byte is free.
uint32_t DoubleArray::place(std::span<const unsigned char> bytes) {
  // Old blocks fill up and would be searched in vain by every node: after this many tries the search starts
  // further on.
  constexpr int kTries = 64;
  int tries = 0;
  uint32_t free = search_from_ == 0 ? next_free_[0] : search_from_;
  for (; free != 0; free = next_free_[free]) {
    const uint32_t base = free ^ bytes[0];
    if (std::all_of(bytes.begin(), bytes.end(), [&](unsigned char byte) {
          const uint32_t unit = base ^ byte;
          return unit != 0 && (next_free_[unit] != unit);
        })) {
      return base;
    }
    if (++tries == kTries) search_from_ = free;
  }
  grow();
  return static_cast<uint32_t>(units_.size() - kBlock);
}

void DoubleArray::grow() {
  const auto begin = static_cast<uint32_t>(units_.size());
  units_.resize(begin + kBlock);
  values_.resize(begin + kBlock, -1);
  next_free_.resize(begin + kBlock);
  previous_free_.resize(begin + kBlock);
  if (begin == 0) next_free_[0] = previous_free_[0] = 0;
  for (uint32_t unit = std::max(begin, 1u); unit < begin + kBlock; ++unit) {
    const uint32_t last = previous_free_[0];
    next_free_[last] = unit;
    previous_free_[unit] = last;
    next_free_[unit] = 0;
    previous_free_[0] = unit;
  }
}

// A taken place is its own neighbour, which a free one never is.
void DoubleArray::take(uint32_t unit) {
  if (search_from_ == unit) search_from_ = next_free_[unit];
  next_free_[previous_free_[unit]] = next_free_[unit];
  previous_free_[next_free_[unit]] = previous_free_[unit];
  next_free_[unit] = previous_free_[unit] = unit;
}

}  // namespace gteway
