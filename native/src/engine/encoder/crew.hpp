// Threads that help with one batch.
//
// Work is claimed piece by piece, never assigned: a helper that the system has not woken yet, or has put to
// sleep, is not waited for unless it holds a piece. So sharing costs next to nothing on a machine that is
// busy with other things, where a barrier would wait for a time slice at every phase.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace gteway {

// Helper threads, started when they are first needed, asleep between shifts. One thread at a time may use it.
class Crew {
 public:
  // `shifts` is where the counter of shifts begins, for tests of its wrap; even.
  explicit Crew(size_t helpers, uint32_t shifts = 0) : limit_(helpers), shift_(shifts) {}
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // One more than the greatest `worker` that share() passes on.
  size_t workers() const noexcept { return limit_ + 1; }

  // From begin to end helpers look for work without sleeping, `threads` - 1 of them, or as many as the system
  // gives; one that was late for an earlier shift may come along. No work is shared outside a shift.
  void begin_shift(size_t threads);
  void end_shift() noexcept;

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

 private:
  using Run = void(const void* context, size_t piece, size_t worker);
  void share(size_t pieces, Run* run, const void* context) noexcept;
  void help(size_t worker) noexcept;
  bool work_one(size_t worker) noexcept;

  const size_t limit_;
  std::vector<std::thread> helpers_;
  std::atomic<size_t> on_shift_ = 0;  // helpers that were asked to take part

  std::atomic<bool> ending_ = false;
  // Odd during a shift; 32 bits, since helpers wait for it to change and that is what systems wait for. It
  // wraps, after 25 days of a thousand shifts a second and more: only equality and oddness count.
  std::atomic<uint32_t> shift_;
  // The current work: its number (24 bits), the next piece to claim and the number of pieces (20 bits each).
  // Claiming is one compare-and-swap of all three, so nobody claims a piece of work that has been replaced.
  std::atomic<uint64_t> ticket_ = 0;
  std::atomic<size_t> done_ = 0;
  // Written before the ticket that they belong to, read after a piece of it was claimed.
  Run* run_ = nullptr;
  const void* context_ = nullptr;
};

}  // namespace gteway
