// Threads that help with one batch.
//
// Each piece of work lies before one thread and may be taken by any: a helper that the system has not woken
// yet, or has put to sleep, is not waited for unless it holds a piece. So sharing costs next to nothing on a
// machine that is busy with other things, where a barrier would wait for a time slice at every phase. And a
// helper that looks for work looks at a cache line of its own, which is written when there is some: however
// many there are, none disturbs another. That a thread mostly gets the same share of each phase also leaves
// the same weights in its cache from text to text, where they fit.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace gteway {

// Helper threads, started when they are first needed, asleep between shifts. One thread at a time may use it.
class Crew {
 public:
  // `shifts` is where the counters of shifts begin, for tests of their wrap; even.
  explicit Crew(size_t helpers, uint32_t shifts = 0);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // One more than the greatest `worker` that share() passes on.
  size_t workers() const noexcept { return limit_ + 1; }

  // From begin to end helpers look for work without sleeping, `threads` - 1 of them, or as many as the system
  // gives; one that was late for an earlier shift may come along. No work is shared outside a shift.
  void begin_shift(size_t threads);
  void end_shift() noexcept;

  // Threads of this shift, its owner among them; 1 outside of one.
  size_t threads() const noexcept { return on_shift_.load(std::memory_order_relaxed) + 1; }

  // Calls task(piece, worker) once for each piece below `pieces` (< 2^20), on this thread (worker 0) and on
  // helpers (1 and up); returns when all have been done. `task` must not throw.
  template <class Task>
  void share(size_t pieces, const Task& task) noexcept {
    share(
        pieces,
        [](const void* context, size_t piece, size_t worker) {
          (*static_cast<const Task*>(context))(piece, worker);
        },
        &task);
  }

  // What helping has cost so far. What a helper counted is seen once it has left its shift.
  struct Counters {
    uint64_t shifts = 0;    // with helpers
    uint64_t works = 0;     // that were shared
    uint64_t posts = 0;     // lines that were written to say so, the owner's own among them
    uint64_t called = 0;    // helpers that shifts asked for
    uint64_t wake_ups = 0;  // of helpers that slept
    uint64_t polls = 0;     // looks of helpers at their line that found nothing
    uint64_t helped = 0;    // pieces that helpers did
    uint64_t taken = 0;     // of those, pieces that lay before another thread
  };
  Counters counters() const noexcept;

 private:
  using Run = void(const void* context, size_t piece, size_t worker);

  // What lies before one thread. Two lines each: processors fetch them in pairs.
  struct alignas(128) Post {
    // The number of the work (24 bits), the next piece to claim and the end of those that lie here (20 bits
    // each). Claiming is one compare-and-swap of all three, so nobody claims a piece of work that has been
    // replaced.
    std::atomic<uint64_t> ticket = 0;
    std::atomic<uint32_t> done = 0;  // of the pieces that lie here
    // Odd during a shift that this helper is to take part in; 32 bits, since helpers wait for it to change
    // and that is what systems wait for. It wraps, after 25 days of a thousand shifts a second and more: only
    // equality and oddness count.
    std::atomic<uint32_t> duty = 0;
    // Written by this helper alone, and apart from what others look at.
    alignas(64) std::atomic<uint64_t> wake_ups = 0;
    std::atomic<uint64_t> polls = 0, helped = 0, taken = 0;
  };

  void share(size_t pieces, Run* run, const void* context) noexcept;
  void help(size_t worker) noexcept;
  void stay(size_t worker, uint32_t duty) noexcept;
  size_t take(size_t from, size_t worker) noexcept;
  void call_next(size_t worker) noexcept;

  const size_t limit_;
  const std::unique_ptr<Post[]> posts_;  // of worker 0, the owner, and of each helper
  std::vector<std::thread> helpers_;
  std::atomic<size_t> on_shift_ = 0;  // helpers that were asked to take part
  std::atomic<bool> ending_ = false;
  // The owner's alone.
  uint64_t number_ = 0;
  uint64_t shifts_ = 0, works_ = 0, written_ = 0, called_ = 0;
  // Written before the tickets that they belong to, read after a piece of one was claimed.
  Run* run_ = nullptr;
  const void* context_ = nullptr;
};

}  // namespace gteway
