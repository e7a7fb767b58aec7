// What runs next, and how much of it. Pure functions: everything they depend on comes in, so they are tested
// by tables, without threads or clocks. Age comes in as order: lists are in turn order, who waits longest
// first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/engine.hpp"

namespace gteway {

// Short calls are what somebody waits for; bulk calls are judged by their throughput.
enum class Urgency { kShort, kBulk };

// By what is known when a call is made. Short: one text, or at most 8 KB, some 2,000 tokens, where each text
// counts as 64 bytes at least.
Urgency urgency_of(size_t texts, size_t bytes) noexcept;

// What the engine pays for `rows` sequences of which the longest has `longest` tokens and all together
// `tokens`.
size_t batch_cost(const CostModel& cost, size_t rows, size_t longest, size_t tokens) noexcept;

// What the next batch may cost, of `backlog` tokens that wait and `workers` that will share them: the
// engine's limit while there is plenty, then an even part of the rest (guided self-scheduling,
// Polychronopoulos and Kuck 1987), so that the workers end together, with a quarter on top for padding where
// the engine pads; never less than an eighth of the limit, below which engines are inefficient.
size_t batch_budget(const CostModel& cost, size_t backlog, size_t workers) noexcept;

// Which of the sequences run together, ascending. `lengths` is in turn order: the first is always chosen,
// even where it is over the budget by itself; the rest are as many as fit. Where the engine pads, only
// sequences of a length near the first one's are chosen: a sequence that would be padded by more than a
// batch of its own costs (taken as a sixteenth of max_batch_tokens, or a quarter of its length) waits for
// the next batch, of which it may be the first.
std::vector<uint32_t> choose_batch(std::span<const uint32_t> lengths, const CostModel& cost, size_t budget);

// Who is next where both wait: short calls, until they had three batches' worth of tokens since bulk calls
// last had one. So bulk keeps a quarter however many short calls come.
Urgency choose_urgency(size_t short_tokens_since_bulk, const CostModel& cost) noexcept;

// Tokens of bulk calls that are tokenized ahead of the engine. A padding engine gets more of them, so that
// sorting finds sequences of equal length.
size_t bulk_window(const CostModel& cost) noexcept;

// The end of the run of consecutive texts that begins at `first` and has about `slice_bytes`, at least one
// text. `ends` are where the texts end, as in TextBlock.
size_t slice_end(std::span<const size_t> ends, size_t first, size_t slice_bytes) noexcept;

}  // namespace gteway
