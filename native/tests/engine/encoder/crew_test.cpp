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

// Counts of what happened while nobody looked: helpers add theirs when they leave their shift.
static Crew::Counters counted(Crew& crew, uint64_t helped) {
  Crew::Counters counters = crew.counters();
  while (counters.helped < helped) {
    std::this_thread::yield();
    counters = crew.counters();
  }
  return counters;
}

TEST("crew: who is asked for is what is woken and written to, however many helpers there are") {
  Crew crew(31);
  std::atomic<uint64_t> helped = 0;
  const auto work = [&](size_t threads, size_t pieces) {
    crew.begin_shift(threads);
    CHECK_EQ(crew.threads(), threads);
    crew.share(pieces, [&](size_t, size_t worker) {
      CHECK(worker < crew.workers());
      if (worker > 0) ++helped;
    });
    crew.end_shift();
    CHECK_EQ(crew.threads(), size_t{1});
  };
  work(32, 64);  // now all of them have been started
  const Crew::Counters all = counted(crew, helped);
  CHECK_EQ(all.called, uint64_t{31});
  CHECK_EQ(all.posts, uint64_t{32});
  for (int i = 0; i < 100; ++i) work(4, 8);
  const Crew::Counters few = counted(crew, helped);
  CHECK_EQ(few.shifts, all.shifts + 100);
  CHECK_EQ(few.works, all.works + 100);
  CHECK_EQ(few.called, all.called + 300);
  CHECK_EQ(few.posts, all.posts + 400);
  // Each shift wakes those three at most, and from the first one whoever was late.
  CHECK(few.wake_ups <= few.called);
  work(32, 2);  // pieces for two: nobody else is told of any
  CHECK_EQ(crew.counters().posts, few.posts + 2);
  CHECK_EQ(few.helped, counted(crew, 0).helped - (helped - few.helped));
}

// A piece that is taken away from whoever it lies before: the owner's first piece ends when all others have.
TEST("crew: pieces before a thread that is held up are done by others") {
  Crew crew(2);
  for (int shift = 0; shift < 20; ++shift) {
    crew.begin_shift(3);
    std::atomic<size_t> done = 0;
    constexpr size_t kPieces = 30;
    std::atomic<bool> helped = false;
    crew.share(kPieces, [&](size_t, size_t worker) {
      if (worker > 0) helped = true;
      // Where no helper comes in time the owner must not wait for one.
      const auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
      if (worker == 0 && ++done == 1)
        while (done < kPieces && helped && std::chrono::steady_clock::now() < patience)
          std::this_thread::yield();
      else if (worker > 0)
        ++done;
    });
    CHECK_EQ(done.load(), kPieces);
    crew.end_shift();
  }
}

TEST("crew: no shift is slept through for good: hundreds of them, of all sizes, beside each other") {
  constexpr size_t kHelpers = 9;
  std::vector<std::thread> owners;
  for (int owner = 0; owner < 2; ++owner) {
    owners.emplace_back([owner] {
      Crew crew(kHelpers, UINT32_MAX - 201);  // and past the end of the counters
      std::vector<int> done;
      for (size_t shift = 0; shift < 500; ++shift) {
        crew.begin_shift(1 + (shift * 7 + static_cast<size_t>(owner)) % (kHelpers + 1));
        for (size_t pieces = shift % 3; pieces < 24; pieces += 5) {
          done.assign(pieces, 0);
          crew.share(pieces, [&](size_t piece, size_t) { ++done[piece]; });
          CHECK(done == std::vector<int>(pieces, 1));
        }
        crew.end_shift();
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
}
