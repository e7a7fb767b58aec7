#include "scheduler/policy.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "test.hpp"

namespace gteway {
namespace {

using Plans = std::vector<BatchPlan>;

struct Row {
  std::string name;
  std::vector<uint32_t> lengths;
  CostModel cost;
  Plans expected;
};

const CostModel kPadded{.padded = true, .max_batch_tokens = 100};
const CostModel kRagged{.padded = false, .max_batch_tokens = 100};
const CostModel kOneByOne{.padded = true, .max_batch_tokens = 100, .max_batch_rows = 1};

const std::vector<Row> kTable = {
    {"nothing to plan", {}, kPadded, {}},
    {"one sequence", {7}, kPadded, {{0}}},
    {"all fit", {10, 10, 10}, kPadded, {{0, 1, 2}}},
    {"exactly full is full", {50, 50, 50}, kPadded, {{0, 1}, {2}}},
    {"longest first, equal lengths in their order", {10, 40, 10, 40}, kPadded, {{1, 3}, {0, 2}}},
    {"padding counts: 60 + 10 would be 2 × 60", {10, 60}, kPadded, {{1}, {0}}},
    {"without padding it does not", {10, 60}, kRagged, {{1, 0}}},
    {"ragged: exactly full", {60, 40, 1}, kRagged, {{0, 1}, {2}}},
    {"over the limit goes alone", {500, 5, 300}, kPadded, {{0}, {2}, {1}}},
    {"ragged: over the limit goes alone", {500, 5, 300}, kRagged, {{0}, {2}, {1}}},
    {"one row per batch", {5, 6, 7}, kOneByOne, {{2}, {1}, {0}}},
    {"zero-length sequences cost nothing and are kept", {0, 0}, kRagged, {{0, 1}}},
};

[[maybe_unused]] const bool kAdded = [] {
  for (const Row& row : kTable)
    test::add("policy: plan_batches: " + row.name,
              [&row] { CHECK_EQ(plan_batches(row.lengths, row.cost), row.expected); });
  return true;
}();

TEST("policy: plan_batches keeps every sequence once and every limit, whatever the lengths") {
  std::mt19937 random(20261122);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint32_t> lengths(random() % 400);
    for (uint32_t& length : lengths) length = 2 + random() % 511;
    const CostModel cost{.padded = round % 2 == 0,
                         .max_batch_tokens = 1 + random() % 4096,
                         .max_batch_rows = round % 3 == 0 ? 1 + random() % 40 : SIZE_MAX};
    std::vector<uint32_t> seen;
    for (const BatchPlan& batch : plan_batches(lengths, cost)) {
      CHECK(!batch.empty());
      CHECK(batch.size() <= cost.max_batch_rows);
      size_t tokens = 0, longest = 0;
      for (const uint32_t index : batch) {
        tokens += lengths[index];
        longest = std::max<size_t>(longest, lengths[index]);
        seen.push_back(index);
      }
      CHECK(batch.size() == 1 || batch_cost(cost, batch.size(), longest, tokens) <= cost.max_batch_tokens);
    }
    std::sort(seen.begin(), seen.end());
    std::vector<uint32_t> all(lengths.size());
    std::iota(all.begin(), all.end(), 0u);
    CHECK(seen == all);
  }
}

TEST("policy: plan_slices cuts consecutive texts at about the size asked for") {
  using Firsts = std::vector<size_t>;
  CHECK_EQ(plan_slices(std::vector<size_t>{}, 100), (Firsts{0}));
  CHECK_EQ(plan_slices(std::vector<size_t>{5}, 100), (Firsts{0, 1}));
  CHECK_EQ(plan_slices(std::vector<size_t>{50, 50, 50}, 100), (Firsts{0, 2, 3}));
  CHECK_EQ(plan_slices(std::vector<size_t>{1000, 1, 1000}, 100), (Firsts{0, 1, 3}));
}

TEST("policy: plan_slices does not put a million empty texts into one slice") {
  CHECK(plan_slices(std::vector<size_t>(1'000'000, 0), 32768).size() > 30);
}

}  // namespace
}  // namespace gteway
