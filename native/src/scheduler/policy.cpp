#include "scheduler/policy.hpp"

#include <algorithm>
#include <numeric>

namespace gteway {
namespace {

constexpr size_t kShortCallBytes = 8 * 1024;
constexpr size_t kLeastTextBytes = 64;
constexpr size_t kShortBatchesPerBulk = 3;

std::vector<uint32_t> choose_ragged(std::span<const uint32_t> lengths, const CostModel& cost, size_t budget) {
  std::vector<uint32_t> chosen;
  size_t tokens = 0;
  for (uint32_t i = 0; i < lengths.size() && chosen.size() < cost.max_batch_rows; ++i) {
    if (!chosen.empty() && tokens + lengths[i] > budget) continue;
    chosen.push_back(i);
    tokens += lengths[i];
  }
  return chosen;
}

std::vector<uint32_t> choose_padded(std::span<const uint32_t> lengths, const CostModel& cost, size_t budget) {
  const auto distance = [&](uint32_t i) {
    return lengths[i] > lengths[0] ? lengths[i] - lengths[0] : lengths[0] - lengths[i];
  };
  std::vector<uint32_t> nearest(lengths.size());
  std::iota(nearest.begin(), nearest.end(), 0u);
  std::stable_sort(nearest.begin(), nearest.end(),
                   [&](uint32_t a, uint32_t b) { return distance(a) < distance(b); });

  std::vector<uint32_t> chosen;
  size_t shortest = lengths[0], longest = lengths[0];
  for (const uint32_t i : nearest) {
    if (chosen.size() == cost.max_batch_rows) break;
    const size_t low = std::min<size_t>(shortest, lengths[i]), high = std::max<size_t>(longest, lengths[i]);
    const bool fits = high - low <= std::max(cost.max_batch_tokens / 16, low / 4) &&
                      batch_cost(cost, chosen.size() + 1, high, 0) <= budget;
    if (!chosen.empty() && !fits) continue;
    chosen.push_back(i);
    shortest = low;
    longest = high;
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

Urgency urgency_of(size_t texts, size_t bytes) noexcept {
  const bool is_short = texts <= 1 || std::max(bytes, texts * kLeastTextBytes) <= kShortCallBytes;
  return is_short ? Urgency::kShort : Urgency::kBulk;
}

size_t batch_cost(const CostModel& cost, size_t rows, size_t longest, size_t tokens) noexcept {
  return cost.padded ? rows * longest : tokens;
}

size_t batch_budget(const CostModel& cost, size_t backlog, size_t workers) noexcept {
  const size_t share = (backlog + workers - 1) / std::max<size_t>(workers, 1);
  const size_t padding = cost.padded ? share / 4 : 0;
  return std::clamp(share + padding, cost.max_batch_tokens / 8, cost.max_batch_tokens);
}

std::vector<uint32_t> choose_batch(std::span<const uint32_t> lengths, const CostModel& cost, size_t budget) {
  if (lengths.empty()) return {};
  return cost.padded ? choose_padded(lengths, cost, budget) : choose_ragged(lengths, cost, budget);
}

Urgency choose_urgency(size_t short_tokens_since_bulk, const CostModel& cost) noexcept {
  return short_tokens_since_bulk < kShortBatchesPerBulk * cost.max_batch_tokens ? Urgency::kShort
                                                                                : Urgency::kBulk;
}

size_t bulk_window(const CostModel& cost) noexcept { return cost.max_batch_tokens * (cost.padded ? 64 : 8); }

size_t slice_end(std::span<const size_t> ends, size_t first, size_t slice_bytes) noexcept {
  const size_t begin = first == 0 ? 0 : ends[first - 1];
  size_t end = first + 1;
  // An empty text costs something too: one byte.
  while (end < ends.size() && ends[end - 1] - begin + (end - first) < slice_bytes) ++end;
  return end;
}

}  // namespace gteway
