#include "engine/encoder/crew.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "test.hpp"

using namespace gteway;

TEST("crew: every piece is done once, by a known worker, before share() returns") {
  for (const size_t helpers : {size_t{0}, size_t{1}, size_t{3}}) {
    Crew crew(helpers);
    CHECK_EQ(crew.workers(), helpers + 1);
    for (size_t shift = 0; shift < 30; ++shift) {
      crew.begin_shift(1 + shift % (helpers + 2));  // also more than there are
      for (size_t pieces = 0; pieces < 40; ++pieces) {
        std::vector<int> done(
            pieces);  // not atomic: each piece has one owner, and share() orders it before us
        std::atomic<bool> known = true;
        crew.share(pieces, [&](size_t piece, size_t worker) {
          ++done[piece];
          if (worker >= crew.workers()) known = false;
        });
        CHECK(known);
        CHECK(done == std::vector<int>(pieces, 1));
      }
      crew.end_shift();
    }
    int alone = 0;  // outside a shift, this thread does it
    crew.share(5, [&](size_t, size_t worker) { alone += worker == 0 ? 1 : 100; });
    CHECK_EQ(alone, 5);
  }
}

// The first piece gives a helper some time to come for the second.
static bool is_helped(Crew& crew) {
  std::atomic<int> begun = 0;
  std::atomic<bool> helped = false;
  crew.begin_shift(2);
  crew.share(2, [&](size_t, size_t worker) {
    ++begun;
    if (worker > 0) helped = true;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    while (begun < 2 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  });
  crew.end_shift();
  return helped;
}

TEST("crew: helpers still come when the counter of shifts has wrapped") {
  // A helper may be late for a shift, and is not waited for; not for all of a thousand.
  for (const uint32_t before : {uint32_t{0}, UINT32_MAX - 5, UINT32_MAX - 3, UINT32_MAX - 1}) {
    Crew crew(1, before);
    for (int shift = 0; shift < 6; ++shift) {  // past each end that a counter can have
      crew.begin_shift(2);
      crew.end_shift();
    }
    bool came = false;
    for (int attempt = 0; !came && attempt < 1000; ++attempt) came = is_helped(crew);
    CHECK(came);
  }
}
