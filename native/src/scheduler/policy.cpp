#include "scheduler/policy.hpp"

#include <algorithm>
#include <numeric>

namespace gteway {

size_t batch_cost(const CostModel& cost, size_t rows, size_t longest, size_t tokens) noexcept {
  return cost.padded ? rows * longest : tokens;
}

std::vector<BatchPlan> plan_batches(std::span<const uint32_t> lengths, const CostModel& cost) {
  BatchPlan order(lengths.size());
  std::iota(order.begin(), order.end(), 0u);
  // Stable: the same texts in the same order always give the same batches.
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return lengths[a] > lengths[b]; });

  std::vector<BatchPlan> batches;
  size_t longest = 0, tokens = 0;
  for (const uint32_t index : order) {
    const size_t length = lengths[index];
    const bool fits =
        !batches.empty() && batches.back().size() < cost.max_batch_rows &&
        batch_cost(cost, batches.back().size() + 1, longest, tokens + length) <= cost.max_batch_tokens;
    if (!fits) {
      batches.emplace_back();
      longest = length;
      tokens = 0;
    }
    batches.back().push_back(index);
    tokens += length;
  }
  return batches;
}

std::vector<size_t> plan_slices(std::span<const size_t> text_bytes, size_t slice_bytes) {
  std::vector<size_t> firsts;
  size_t in_slice = slice_bytes;
  for (size_t i = 0; i < text_bytes.size(); ++i) {
    if (in_slice >= slice_bytes) {
      firsts.push_back(i);
      in_slice = 0;
    }
    in_slice += text_bytes[i] + 1;  // an empty text costs something too
  }
  firsts.push_back(text_bytes.size());
  return firsts;
}

}  // namespace gteway
