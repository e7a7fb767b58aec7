#include "engine/cuda/emulation/fiber.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define GTEWAY_FIBERS_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GTEWAY_FIBERS_UNDER_ASAN 1
#endif
#endif
#ifdef GTEWAY_FIBERS_UNDER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

// ucontext saves the signal mask, two system calls a switch, which here is made hundreds of times per
// microsecond of emulated time; so the most common processor has its own switch.
#if defined(__x86_64__) && defined(__linux__)
#define GTEWAY_OWN_SWITCH 1
extern "C" void gteway_emulation_switch(void** saved_stack_pointer, void* stack_pointer);
asm(R"(
.text
.p2align 4
.type gteway_emulation_switch, @function
.hidden gteway_emulation_switch
gteway_emulation_switch:
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size gteway_emulation_switch, .-gteway_emulation_switch
)");
#else
#include <ucontext.h>
#endif

namespace gteway::cuda::emulation {
namespace {
#ifdef GTEWAY_FIBERS_UNDER_ASAN
constexpr size_t kStackBytes = 256 << 10;
#else
constexpr size_t kStackBytes = 48 << 10;
#endif
}  // namespace

struct Fiber::State {
  std::unique_ptr<unsigned char[]> stack{new unsigned char[kStackBytes]};
  Entry entry = nullptr;
  void* argument = nullptr;
#ifdef GTEWAY_OWN_SWITCH
  void* inside = nullptr;
  void* outside = nullptr;
#else
  ucontext_t inside;
  ucontext_t outside;
#endif
  const void* outside_stack = nullptr;
  size_t outside_bytes = 0;

  static State*& starting() {
    static thread_local State* state = nullptr;
    return state;
  }
  static void begin() {
    State* state = starting();
#ifdef GTEWAY_FIBERS_UNDER_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &state->outside_stack, &state->outside_bytes);
#endif
    state->entry(state->argument);
    std::abort();
  }
};

Fiber::Fiber() : state_(new State) {}
Fiber::~Fiber() = default;

void Fiber::start(Entry entry, void* argument) {
  state_->entry = entry;
  state_->argument = argument;
#ifdef GTEWAY_OWN_SWITCH
  auto top = reinterpret_cast<uintptr_t>(state_->stack.get() + kStackBytes) & ~uintptr_t{15};
  auto* slots = reinterpret_cast<void**>(top) - 8;  // six registers, the address to return to, alignment
  std::memset(slots, 0, 8 * sizeof(void*));
  slots[6] = reinterpret_cast<void*>(&State::begin);
  state_->inside = slots;
#else
  getcontext(&state_->inside);
  state_->inside.uc_stack.ss_sp = state_->stack.get();
  state_->inside.uc_stack.ss_size = kStackBytes;
  state_->inside.uc_link = nullptr;
  makecontext(&state_->inside, &State::begin, 0);
#endif
}

void Fiber::resume() {
  State::starting() = state_.get();
#ifdef GTEWAY_FIBERS_UNDER_ASAN
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state_->stack.get(), kStackBytes);
#endif
#ifdef GTEWAY_OWN_SWITCH
  gteway_emulation_switch(&state_->outside, state_->inside);
#else
  swapcontext(&state_->outside, &state_->inside);
#endif
#ifdef GTEWAY_FIBERS_UNDER_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::suspend() {
#ifdef GTEWAY_FIBERS_UNDER_ASAN
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state_->outside_stack, state_->outside_bytes);
#endif
#ifdef GTEWAY_OWN_SWITCH
  gteway_emulation_switch(&state_->inside, state_->outside);
#else
  swapcontext(&state_->inside, &state_->outside);
#endif
#ifdef GTEWAY_FIBERS_UNDER_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, &state_->outside_stack, &state_->outside_bytes);
#endif
}

}  // namespace gteway::cuda::emulation
