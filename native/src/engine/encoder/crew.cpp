#include "engine/encoder/crew.hpp"

#include <exception>

#include "base/thread_name.hpp"

namespace gteway {
namespace {

// How often a helper looks for work before it sleeps until the next shift: some tenths of a millisecond, more
// than the longest piece of a text that is worth sharing.
constexpr int kHelperSpins = 20000;

// How often the owner looks whether a claimed piece is done before it gives its time slice away: the helper
// that holds the piece may be waiting for one.
constexpr int kOwnerSpins = 2000;

constexpr unsigned kBits = 20;
constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
constexpr uint64_t kOnePiece = uint64_t{1} << kBits;
uint64_t pieces_of(uint64_t ticket) { return ticket & kMask; }
uint64_t next_of(uint64_t ticket) { return ticket >> kBits & kMask; }

void pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

Crew::~Crew() {
  ending_.store(true, std::memory_order_relaxed);
  shift_.fetch_add(2, std::memory_order_release);  // as odd as it was
  shift_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Crew::begin_shift(size_t threads) {
  while (helpers_.size() + 1 < threads && helpers_.size() < limit_) {
    try {
      helpers_.emplace_back([this, worker = helpers_.size() + 1] {
        set_thread_name("gteway-share");
        help(worker);
      });
    } catch (const std::exception&) {
      break;  // no thread, or no memory for one: the rest does its pieces
    }
  }
  const size_t helpers = threads - 1 < helpers_.size() ? threads - 1 : helpers_.size();
  on_shift_.store(helpers, std::memory_order_relaxed);
  if (helpers == 0) return;
  shift_.fetch_add(1, std::memory_order_release);
  shift_.notify_all();
}

void Crew::end_shift() noexcept {
  if (on_shift_.load(std::memory_order_relaxed) == 0) return;
  on_shift_.store(0, std::memory_order_relaxed);
  shift_.fetch_add(1, std::memory_order_release);
}

void Crew::share(size_t pieces, Run* run, const void* context) noexcept {
  if (on_shift_.load(std::memory_order_relaxed) == 0 || pieces < 2) {
    for (size_t piece = 0; piece < pieces; ++piece) run(context, piece, 0);
    return;
  }
  run_ = run;
  context_ = context;
  done_.store(0, std::memory_order_relaxed);
  const uint64_t number = (ticket_.load(std::memory_order_relaxed) >> 2 * kBits) + 1;
  ticket_.store(number << 2 * kBits | pieces, std::memory_order_release);
  while (work_one(0)) {
  }
  for (int spins = 0; done_.load(std::memory_order_acquire) != pieces; ++spins) {
    if (spins < kOwnerSpins)
      pause();
    else
      std::this_thread::yield();
  }
}

bool Crew::work_one(size_t worker) noexcept {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (next_of(ticket) < pieces_of(ticket)) {
    if (!ticket_.compare_exchange_weak(ticket, ticket + kOnePiece, std::memory_order_acq_rel,
                                       std::memory_order_acquire))
      continue;
    run_(context_, next_of(ticket), worker);
    done_.fetch_add(1, std::memory_order_release);
    return true;
  }
  return false;
}

void Crew::help(size_t worker) noexcept {
  uint32_t left = 0;  // the last shift this helper has left; even: none
  for (;;) {
    uint32_t shift = shift_.load(std::memory_order_acquire);
    while (shift % 2 == 0 || shift == left) {
      if (ending_.load(std::memory_order_relaxed)) return;
      shift_.wait(shift, std::memory_order_acquire);
      shift = shift_.load(std::memory_order_acquire);
    }
    const bool takes_part = worker <= on_shift_.load(std::memory_order_relaxed);
    for (int idle = 0;
         takes_part && idle < kHelperSpins && shift_.load(std::memory_order_acquire) == shift;) {
      if (work_one(worker)) {
        idle = 0;
      } else {
        ++idle;
        pause();
      }
    }
    left = shift;
  }
}

}  // namespace gteway
