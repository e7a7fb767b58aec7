#include "engine/cuda/emulation/block.hpp"

#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "engine/cuda/emulation/fiber.hpp"

namespace gteway::cuda::emulation {
namespace {

struct Copy {
  void* shared;
  const void* global;
  bool valid;

  void perform() const {
    if (valid)
      std::memcpy(shared, global, 16);
    else
      std::memset(shared, 0, 16);
  }
};

struct Thread {
  Fiber fiber;
  enum class State { kReady, kWaiting, kDone } state = State::kDone;
  const char* waits_for = "";
  uint32_t index = 0;
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> committed;
};

struct Group {
  const char* kind = nullptr;
  uint32_t arrived = 0;
  std::vector<void*> operands;
};

struct Block {
  std::vector<std::unique_ptr<Thread>> threads;  // kept: a stack each
  std::map<std::pair<uint32_t, uint32_t>, Group> groups;
  std::unique_ptr<unsigned char[]> shared;
  unsigned char* shared_base = nullptr;
  const std::function<void()>* body = nullptr;
  std::exception_ptr failure;
  Thread* running = nullptr;
  uint32_t count = 0;
};

Block& block() {
  static thread_local Block state;
  return state;
}

void thread_entry(void* argument) {
  auto* thread = static_cast<Thread*>(argument);
  for (;;) {
    try {
      (*block().body)();
    } catch (...) {
      if (!block().failure) block().failure = std::current_exception();
    }
    thread->state = Thread::State::kDone;
    thread->fiber.suspend();
  }
}

void resume(Block& state, Thread& thread) {
  current_thread.x = thread.index;
  state.running = &thread;
  thread.fiber.resume();
  state.running = nullptr;
}

bool run_warp_once(Block& state, uint32_t warp) {
  bool progress = false;
  for (uint32_t i = warp * 32; i < std::min(state.count, warp * 32 + 32); ++i) {
    Thread& thread = *state.threads[i];
    if (thread.state != Thread::State::kReady) continue;
    resume(state, thread);
    progress = true;
  }
  return progress;
}

}  // namespace

Schedule& schedule() {
  static thread_local Schedule value;
  return value;
}

unsigned char* shared_memory() { return block().shared_base; }

void run_block(uint32_t index, uint32_t blocks, uint32_t threads, size_t shared_bytes,
               const std::function<void()>& body) {
  Block& state = block();
  state.shared.reset(new unsigned char[shared_bytes + 1024]);
  const auto base = (reinterpret_cast<uintptr_t>(state.shared.get()) + 1023) & ~uintptr_t{1023};
  // At the end of the allocation, so that a sanitizer sees an access past it as far as alignment lets it.
  state.shared_base = reinterpret_cast<unsigned char*>(base);
  std::memset(state.shared_base, 0xff, shared_bytes);
  state.groups.clear();
  state.body = &body;
  state.failure = nullptr;
  state.count = threads;
  current_block = {index, 0, 0};
  current_grid_size = {blocks, 1, 1};
  current_block_size = {threads, 1, 1};
  while (state.threads.size() < threads) state.threads.push_back(std::make_unique<Thread>());
  for (uint32_t i = 0; i < threads; ++i) {
    Thread& thread = *state.threads[i];
    thread.index = i;
    thread.open.clear();
    thread.committed.clear();
    thread.state = Thread::State::kReady;
    thread.fiber.start(thread_entry, &thread);
  }

  const uint32_t warps = (threads + 31) / 32;
  const Schedule order = schedule();
  for (bool progress = true; progress && !state.failure;) {
    progress = false;
    for (uint32_t i = 0; i < warps && !state.failure; ++i) {
      const uint32_t warp = order.warps == Schedule::Warps::kReverse ? warps - 1 - i : i;
      if (order.warps == Schedule::Warps::kInTurn) {
        progress |= run_warp_once(state, warp);
      } else {
        while (!state.failure && run_warp_once(state, warp)) progress = true;
      }
    }
  }
  if (state.failure) std::rethrow_exception(state.failure);
  for (uint32_t i = 0; i < threads; ++i)
    if (state.threads[i]->state != Thread::State::kDone)
      throw std::logic_error("block " + std::to_string(index) + ": thread " + std::to_string(i) +
                             " waits for others at " + state.threads[i]->waits_for + " for ever");
}

void collective(const char* kind, uint32_t size, void* operand, Meeting meet) {
  Block& state = block();
  Thread& self = *state.running;
  const uint32_t first = self.index / size * size;
  Group& group = state.groups[{size, first}];
  if (group.operands.size() != size) group.operands.assign(size, nullptr);
  if (group.arrived == 0) group.kind = kind;
  if (std::strcmp(group.kind, kind) != 0)
    throw std::logic_error("thread " + std::to_string(self.index) + " is at " + kind +
                           ", others of its group at " + group.kind);
  group.operands[self.index - first] = operand;
  if (++group.arrived < size) {
    self.state = Thread::State::kWaiting;
    self.waits_for = kind;
    self.fiber.suspend();
    return;
  }
  group.arrived = 0;
  meet(group.operands.data(), size);
  for (uint32_t i = first; i < first + size; ++i)
    if (i != self.index) state.threads[i]->state = Thread::State::kReady;
}

void copy_async(void* shared, const void* global, bool valid) {
  const Copy copy{shared, global, valid};
  if (schedule().late_copies)
    block().running->open.push_back(copy);
  else
    copy.perform();
}

void commit_copies() {
  Thread& self = *block().running;
  self.committed.push_back(std::move(self.open));
  self.open.clear();
}

void wait_for_copies_but(size_t pending) {
  Thread& self = *block().running;
  for (; self.committed.size() > pending; self.committed.pop_front())
    for (const Copy& copy : self.committed.front()) copy.perform();
}

}  // namespace gteway::cuda::emulation
