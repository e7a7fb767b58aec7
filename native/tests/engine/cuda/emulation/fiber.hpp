// Threads of a block as fibers of one processor thread: switched by hand, so that what runs when is ours to
// choose and to repeat.
#pragma once

#include <cstddef>
#include <memory>

namespace gteway::cuda::emulation {

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Makes the next resume() call entry(argument) on this fiber's stack. `entry` must end with a suspend()
  // that is never resumed: it may not return.
  void start(Entry entry, void* argument);
  // Runs the fiber until it calls suspend(). Called from outside of it.
  void resume();
  // Goes back to who called resume(). Called from inside of it.
  void suspend();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gteway::cuda::emulation
