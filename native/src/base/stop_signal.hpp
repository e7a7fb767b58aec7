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
class StopSignal {
 public:
  StopSignal() = default;
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

  // Throws Error{kAborted} once it was requested.
  void throw_if_requested() const {
    if (requested()) throw Error(ErrorCode::kAborted, Literal("the session is closing"));
  }

  // Runs the callbacks there are, on this thread.
  void request() noexcept {
    const std::lock_guard lock(mutex_);
    if (requested_.exchange(true)) return;
    for (const Callback* callback : callbacks_) callback->act_();
  }

  // While it lives, `act` is called when the signal is requested: at once where it was already. `act` must
  // not throw, and must not touch the signal. Its destructor waits for an `act` that is running.
  class Callback {
   public:
    Callback(StopSignal& signal, std::function<void()> act) : signal_(signal), act_(std::move(act)) {
      const std::lock_guard lock(signal_.mutex_);
      signal_.callbacks_.push_back(this);
      if (signal_.requested()) act_();
    }
    ~Callback() {
      const std::lock_guard lock(signal_.mutex_);
      std::erase(signal_.callbacks_, this);
    }
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;

   private:
    friend StopSignal;
    StopSignal& signal_;
    const std::function<void()> act_;
  };

 private:
  std::atomic<bool> requested_ = false;
  std::mutex mutex_;
  std::vector<const Callback*> callbacks_;  // guarded
};

}  // namespace gteway
