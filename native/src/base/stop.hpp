// How a long piece of work that one thread does is told by another to give up.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace gteway {

// Asked for once and for ever. Work that may take longer than some milliseconds looks at it between its
// pieces; what cannot look while it runs (ONNX Runtime) leaves a callback. Thread-safe.
// (std::stop_token says the same, and libc++ has had it only behind a flag.)
class StopFlag {
 public:
  StopFlag() = default;
  StopFlag(const StopFlag&) = delete;
  StopFlag& operator=(const StopFlag&) = delete;

  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

  // Throws Error{kAborted} once it is set.
  void throw_if_stopped() const {
    if (stopped()) throw Error(ErrorCode::kAborted, Literal("the session is closing"));
  }

  // Runs the callbacks there are, on this thread.
  void stop() noexcept {
    stopped_.store(true, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    for (const Callback* callback : std::exchange(callbacks_, {})) callback->act_();
  }

  // While it lives, `act` is called when the flag is set: at once where it is already. `act` must
  // not throw, and must not touch the flag. Its destructor waits for an `act` that is running.
  class Callback {
   public:
    Callback(const StopFlag& flag, std::function<void()> act) : flag_(flag), act_(std::move(act)) {
      const std::lock_guard lock(flag_.mutex_);
      if (flag_.stopped())
        act_();
      else
        flag_.callbacks_.push_back(this);
    }
    ~Callback() {
      const std::lock_guard lock(flag_.mutex_);
      std::erase(flag_.callbacks_, this);
    }
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;

   private:
    friend StopFlag;
    const StopFlag& flag_;
    const std::function<void()> act_;
  };

 private:
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;
  mutable std::vector<const Callback*> callbacks_;  // guarded
};

}  // namespace gteway
