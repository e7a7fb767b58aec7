// Clients come, submit, cancel and go on many threads at once. What is checked: every call is settled exactly
// once, rows are right, and the books are balanced. For ThreadSanitizer and AddressSanitizer above all.
#include <atomic>
#include <random>
#include <thread>

#include "scheduler/fake_engine.hpp"

namespace gteway {
namespace {

struct Tally {
  std::atomic<int> submitted{0}, settled{0}, wrong{0};
};

std::string random_text(std::mt19937& random) {
  static const char* const kWords[] = {"a", "b", "c", "a b", "c c c", "bad", "nan", "b a c b a"};
  std::string text;
  for (size_t n = random() % 6; n > 0; --n) {
    const size_t word = random() % (random() % 40 == 0 ? 8 : 5);
    text += std::string(kWords[word]) + ' ';
  }
  return text;
}

void check_rows(const Embedded& result, const EmbedOptions& options, Tally& tally) {
  if (options.pooling == Pooling::kNone) {
    size_t rows = 0;
    for (const uint32_t tokens : result.tokens) rows += tokens;
    if (result.values() != rows * FakeEngine::kDimensions) ++tally.wrong;
    return;
  }
  for (size_t i = 0; i < result.tokens.size(); ++i)
    if (value_at(result, i * FakeEngine::kDimensions) != static_cast<float>(result.tokens[i])) ++tally.wrong;
}

void act(Client& client, std::mt19937& random, Tally& tally, int calls) {
  for (int i = 1; i <= calls; ++i) {
    const EmbedOptions options = filled({.pooling = static_cast<Pooling>(random() % 3),
                                         .truncate = random() % 4 != 0,
                                         .max_tokens = 4 + random() % 12,
                                         .wait = random() % 2 == 0,
                                         .item_errors = random() % 2 == 0});
    std::vector<std::string> texts(random() % 8 == 0 ? random() % 300 : random() % 5);
    for (std::string& text : texts) text = random_text(random);
    const auto number = static_cast<uint64_t>(i);
    try {
      client.submit({.number = number,
                     .texts = text_block(texts),
                     .options = options,
                     .done = [&tally, options](std::optional<Embedded> result, std::optional<Error> error) {
                       ++tally.settled;
                       if (result.has_value() == error.has_value()) ++tally.wrong;
                       if (result) check_rows(*result, options, tally);
                     }});
      ++tally.submitted;
    } catch (const Error&) {
      continue;  // overloaded, or closed meanwhile
    }
    if (random() % 4 == 0) client.cancel(number - random() % 2);
    if (random() % 16 == 0) client.stats();
  }
}

void storm(uint32_t seed, const CostModel& cost) {
  Fixture fixture(1 + seed % 3, {.max_queue = 200, .max_queue_bytes = 4000, .cache_bytes = 20'000}, cost);
  Tally tally;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(seed * 100 + t);
      for (int session = 0; session < 3; ++session) {
        auto client =
            fixture.connect({.max_queue = 50, .max_queue_bytes = 2000, .cache_bytes = random() % 2 * 10'000});
        act(*client, random, tally, 30);
        if (random() % 2 == 0) client->close({});
      }
      act(*fixture.client, random, tally, t == 0 ? 20 : 0);
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(submit(*fixture.client, 1000, {"a"}, {.wait = true}).get().result.has_value());
  while (fixture.client->stats().calls_in_flight + fixture.client->stats().texts_running > 0)
    std::this_thread::yield();
  const Stats stats = fixture.client->stats();
  CHECK_EQ(stats.texts_in_flight, 0u);
  CHECK_EQ(stats.bytes_in_flight, 0u);
  CHECK_EQ(stats.calls_waiting, 0u);
  CHECK_EQ(stats.sessions, 1u);
  fixture.client.reset();
  fixture.scheduler.reset();  // joins the threads, which may be about to call the last completions
  CHECK_EQ(tally.settled.load(), tally.submitted.load());
  CHECK_EQ(tally.wrong.load(), 0);
}

TEST("scheduler: random clients on many threads, ragged engine") {
  for (uint32_t seed = 0; seed < 12; ++seed) storm(seed, {.padded = false, .max_batch_tokens = 48});
}

TEST("scheduler: random clients on many threads, padding engine") {
  for (uint32_t seed = 12; seed < 24; ++seed) storm(seed, {.padded = true, .max_batch_tokens = 48});
}

TEST("scheduler: random clients on many threads, one row a batch") {
  for (uint32_t seed = 24; seed < 30; ++seed)
    storm(seed, {.padded = true, .max_batch_tokens = 48, .max_batch_rows = 1});
}

}  // namespace
}  // namespace gteway
