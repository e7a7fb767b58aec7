#include "scheduler/policy.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "test.hpp"

namespace gteway {
namespace {

using Chosen = std::vector<uint32_t>;

const CostModel kPadded{.padded = true, .max_batch_tokens = 160};
const CostModel kRagged{.padded = false, .max_batch_tokens = 160};
const CostModel kOneByOne{.padded = true, .max_batch_tokens = 160, .max_batch_rows = 1};

struct BatchRow {
  std::string name;
  std::vector<uint32_t> lengths;
  CostModel cost;
  size_t budget;
  Chosen expected;
};

const std::vector<BatchRow> kBatches = {
    {"nothing to choose", {}, kPadded, 160, {}},
    {"one sequence", {7}, kPadded, 160, {0}},
    {"all that fit", {10, 10, 10}, kPadded, 160, {0, 1, 2}},
    {"exactly full is full", {80, 80, 80}, kPadded, 160, {0, 1}},
    {"the first one goes, however long", {500, 5}, kPadded, 160, {0}},
    {"ragged: the first one goes, however long", {500, 5}, kRagged, 160, {0}},
    {"ragged: exactly full", {100, 60, 1}, kRagged, 160, {0, 1}},
    {"ragged: what does not fit is passed over", {100, 90, 60}, kRagged, 160, {0, 2}},
    {"ragged: lengths may differ", {2, 120, 3}, kRagged, 160, {0, 1, 2}},
    {"ragged: the budget, not the limit", {40, 40, 40}, kRagged, 80, {0, 1}},
    {"padded: the nearest lengths first", {20, 28, 21, 19}, kPadded, 80, {0, 2, 3}},
    {"padded: a far longer one waits for a batch of its own", {10, 60, 11}, kPadded, 160, {0, 2}},
    {"padded: far shorter ones too", {60, 10, 59}, kPadded, 160, {0, 2}},
    {"padded: a sixteenth of the limit is near", {10, 20, 21}, kPadded, 160, {0, 1}},
    {"padded: a quarter of the length is near", {80, 64, 63}, kPadded, 320, {0, 1}},
    {"padded: longer ones that raise the cost over the budget wait", {40, 48}, kPadded, 90, {0}},
    {"one row a batch", {5, 6, 7}, kOneByOne, 160, {0}},
    {"zero-length sequences cost nothing", {0, 0}, kRagged, 160, {0, 1}},
};

struct BudgetRow {
  std::string name;
  size_t backlog, workers, expected;
};

const std::vector<BudgetRow> kBudgets = {
    {"plenty: the limit", 10'000, 2, 160},      {"exactly enough for everyone", 320, 2, 160},
    {"the rest is shared evenly", 200, 2, 100}, {"rounded up", 101, 2, 51},
    {"one worker takes it all", 100, 1, 100},   {"never less than an eighth of the limit", 8, 4, 20},
};

struct UrgencyRow {
  std::string name;
  size_t texts, bytes;
  Urgency expected;
};

const std::vector<UrgencyRow> kUrgencies = {
    {"nothing", 0, 0, Urgency::kShort},          {"one text, however long", 1, 1'000'000, Urgency::kShort},
    {"a few", 10, 2'000, Urgency::kShort},       {"8 KB", 2, 8192, Urgency::kShort},
    {"more than 8 KB", 2, 8193, Urgency::kBulk}, {"many empty ones", 129, 0, Urgency::kBulk},
};

[[maybe_unused]] const bool kAdded = [] {
  for (const BatchRow& row : kBatches)
    test::add("policy: choose_batch: " + row.name,
              [&row] { CHECK_EQ(choose_batch(row.lengths, row.cost, row.budget), row.expected); });
  for (const BudgetRow& row : kBudgets)
    test::add("policy: batch_budget: " + row.name,
              [&row] { CHECK_EQ(batch_budget(kRagged, row.backlog, row.workers), row.expected); });
  for (const UrgencyRow& row : kUrgencies)
    test::add("policy: urgency_of: " + row.name,
              [&row] { CHECK(urgency_of(row.texts, row.bytes) == row.expected); });
  return true;
}();

TEST("policy: batch_budget leaves a padding engine a quarter for padding, within the limit") {
  CHECK_EQ(batch_budget(kPadded, 200, 2), 125u);
  CHECK_EQ(batch_budget(kPadded, 10'000, 2), 160u);
}

TEST("policy: short calls go first until they had three batches' worth of tokens") {
  CHECK(choose_urgency(0, kRagged) == Urgency::kShort);
  CHECK(choose_urgency(479, kRagged) == Urgency::kShort);
  CHECK(choose_urgency(480, kRagged) == Urgency::kBulk);
}

TEST("policy: choose_batch keeps every limit and serves the first, whatever the lengths") {
  std::mt19937 random(20261122);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint32_t> lengths(1 + random() % 400);
    for (uint32_t& length : lengths) length = 2 + random() % 511;
    const CostModel cost{.padded = round % 2 == 0,
                         .max_batch_tokens = 1 + random() % 4096,
                         .max_batch_rows = round % 3 == 0 ? 1 + random() % 40 : SIZE_MAX};
    const size_t budget = 1 + random() % cost.max_batch_tokens;
    const Chosen chosen = choose_batch(lengths, cost, budget);
    CHECK(!chosen.empty() && chosen.front() == 0);
    CHECK(std::is_sorted(chosen.begin(), chosen.end()));
    CHECK(std::adjacent_find(chosen.begin(), chosen.end()) == chosen.end());
    CHECK(chosen.size() <= cost.max_batch_rows);
    size_t tokens = 0, longest = 0;
    for (const uint32_t index : chosen) {
      tokens += lengths[index];
      longest = std::max<size_t>(longest, lengths[index]);
    }
    CHECK(chosen.size() == 1 || batch_cost(cost, chosen.size(), longest, tokens) <= budget);
  }
}

TEST("policy: batches in turn serve a bulk call whole, and its last ones are small") {
  for (const CostModel& cost : {kPadded, kRagged}) {
    std::mt19937 random(7);
    std::vector<uint32_t> left(200);
    for (uint32_t& length : left) length = 2 + random() % 40;
    std::sort(left.rbegin(), left.rend());
    size_t last_cost = SIZE_MAX, batches = 0;
    while (!left.empty()) {
      const size_t backlog = std::accumulate(left.begin(), left.end(), size_t{0});
      const Chosen chosen = choose_batch(left, cost, batch_budget(cost, backlog, 2));
      last_cost = 0;
      for (auto index = chosen.rbegin(); index != chosen.rend(); ++index) {
        last_cost += left[*index];
        left.erase(left.begin() + *index);
      }
      ++batches;
    }
    CHECK(batches > 20 && batches < 60);
    CHECK(last_cost <= 40);
  }
}

TEST("policy: slice_end cuts consecutive texts at about the size asked for") {
  const auto cut = [](const std::vector<size_t>& ends, size_t first) { return slice_end(ends, first, 100); };
  CHECK_EQ(cut({5}, 0), 1u);
  CHECK_EQ(cut({50, 100, 150}, 0), 2u);
  CHECK_EQ(cut({50, 100, 150}, 2), 3u);
  CHECK_EQ(cut({1000, 1001, 2001}, 0), 1u);
  CHECK_EQ(cut({1000, 1001, 2001}, 1), 3u);
}

TEST("policy: slice_end does not put a million empty texts into one slice") {
  const std::vector<size_t> ends(1'000'000, 0);
  CHECK(slice_end(ends, 0, 32768) <= 32768);
}

}  // namespace
}  // namespace gteway
