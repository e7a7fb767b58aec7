// How long work is told to give up: one flag, set by whoever no longer wants the result.
#pragma once

#include <atomic>

#include "base/error.hpp"

namespace gteway {

// Set once, from any thread; asked between pieces of work that take a few milliseconds at most.
class StopFlag {
 public:
  void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

  // Throws Error{kAborted}.
  void throw_if_stopped() const {
    if (stopped()) throw Error(ErrorCode::kAborted, "the session is closing");
  }

 private:
  std::atomic<bool> stopped_ = false;
};

}  // namespace gteway
