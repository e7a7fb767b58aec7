// Threads that share the work of one batch, and the barrier they meet at.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gteway {

// Where `count` threads wait for each other, hundreds of times a millisecond: they spin for some
// microseconds, and sleep when one of them was put to sleep by the system.
class Barrier {
 public:
  explicit Barrier(size_t count) : count_(count), missing_(count) {}
  void wait() noexcept;

 private:
  const size_t count_;
  std::atomic<size_t> missing_;
  std::atomic<uint32_t> round_ = 0;
};

// The part of a thread in a job: its index among `count` (the caller of run() is 0).
class Member {
 public:
  Member(size_t index, size_t count, Barrier& barrier) : index_(index), count_(count), barrier_(barrier) {}
  size_t index() const noexcept { return index_; }
  size_t count() const noexcept { return count_; }
  bool is_alone() const noexcept { return count_ == 1; }
  void wait_for_all() noexcept {
    if (count_ > 1) barrier_.wait();
  }
  // This member's share of [0, total) in units of `unit`.
  struct Range {
    size_t begin, end;
  };
  Range share(size_t total, size_t unit = 1) const noexcept {
    const size_t units = (total + unit - 1) / unit;
    const size_t begin = units * index_ / count_ * unit, end = units * (index_ + 1) / count_ * unit;
    return {begin < total ? begin : total, end < total ? end : total};
  }

 private:
  size_t index_, count_;
  Barrier& barrier_;
};

// Helper threads, started when they are first needed, asleep between jobs. Not thread-safe: one job at a
// time.
class Crew {
 public:
  explicit Crew(size_t helpers) : limit_(helpers) {}
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Calls job(member) on this thread and up to `count` - 1 helpers, fewer where the system gives no more
  // threads; returns when all have returned. `job` must not throw.
  void run(size_t count, const std::function<void(Member)>& job);

 private:
  void help(size_t index);

  const size_t limit_;
  std::vector<std::thread> helpers_;
  // A job is published by increasing number_; each helper with an index below count_ takes it.
  std::atomic<uint32_t> number_ = 0;
  std::atomic<size_t> working_ = 0;
  size_t count_ = 1;
  Barrier* barrier_ = nullptr;
  const std::function<void(Member)>* job_ = nullptr;
  bool ending_ = false;
};

}  // namespace gteway
