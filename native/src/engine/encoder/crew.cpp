#include "engine/encoder/crew.hpp"

#include <system_error>

#include "base/thread_name.hpp"

namespace gteway {
namespace {

// About 20 µs: longer than any phase of a short text is uneven, shorter than a time slice.
constexpr int kSpins = 2000;

void pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Until `value` is no longer `old`.
template <class T>
void await_change(const std::atomic<T>& value, T old) noexcept {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

void Barrier::wait() noexcept {
  const uint32_t round = round_.load(std::memory_order_relaxed);
  if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    missing_.store(count_, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    round_.notify_all();
  } else {
    await_change(round_, round);
  }
}

Crew::~Crew() {
  ending_ = true;
  number_.fetch_add(1, std::memory_order_release);
  number_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Crew::run(size_t count, const std::function<void(Member)>& job) {
  while (helpers_.size() + 1 < count && helpers_.size() < limit_) {
    try {
      helpers_.emplace_back([this, index = helpers_.size() + 1, seen = number_.load()] {
        set_thread_name("gteway-share");
        uint32_t last = seen;
        for (;;) {
          number_.wait(last, std::memory_order_acquire);
          last = number_.load(std::memory_order_acquire);
          if (ending_) return;
          help(index);
        }
      });
    } catch (const std::system_error&) {
      break;
    }
  }
  count_ = count < helpers_.size() + 1 ? count : helpers_.size() + 1;
  Barrier barrier(count_);
  if (count_ == 1) return job(Member(0, 1, barrier));
  barrier_ = &barrier;
  job_ = &job;
  working_.store(helpers_.size(), std::memory_order_relaxed);
  number_.fetch_add(1, std::memory_order_release);
  number_.notify_all();
  job(Member(0, count_, barrier));
  for (size_t left = working_.load(std::memory_order_acquire); left != 0;
       left = working_.load(std::memory_order_acquire))
    await_change(working_, left);
}

void Crew::help(size_t index) {
  if (index < count_) (*job_)(Member(index, count_, *barrier_));
  if (working_.fetch_sub(1, std::memory_order_acq_rel) == 1) working_.notify_all();
}

}  // namespace gteway
