// How the texts of a call become batches. Pure functions: everything they depend on comes in, so they are
// tested by tables, without threads or clocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/engine.hpp"

namespace gteway {

// Indices of the sequences that run together.
using BatchPlan = std::vector<uint32_t>;

// What the engine pays for `rows` sequences of which the longest has `longest` tokens and all together
// `tokens`.
size_t batch_cost(const CostModel& cost, size_t rows, size_t longest, size_t tokens) noexcept;

// Sorts sequences by length, longest first, and cuts the sorted list into batches of at most
// cost.max_batch_tokens and cost.max_batch_rows. A sequence that is over the limit by itself gets a batch of
// its own. Every index from 0 to lengths.size() - 1 appears exactly once. Longest first, so that the last
// batches to finish are short ones and no worker waits long for another.
std::vector<BatchPlan> plan_batches(std::span<const uint32_t> lengths, const CostModel& cost);

// Cuts `texts` byte sizes into runs of consecutive texts for tokenizing, each of about `slice_bytes`; returns
// the first index of each run and, last, the number of texts.
std::vector<size_t> plan_slices(std::span<const size_t> text_bytes, size_t slice_bytes);

}  // namespace gteway
