#include "engine/encoder/crew.hpp"

#include <algorithm>
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

// Before so many others a helper looks for what they have not begun, once it has done what lay before itself:
// all of a small crew, and of a large one so few that looking around costs less than a piece. What nobody
// found is the owner's.
constexpr size_t kNeighbours = 8;

// Who is called calls so many others: a system call each, which one thread alone would make one after the
// other.
constexpr size_t kCalls = 2;

constexpr unsigned kBits = 20;
constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
constexpr uint64_t kOnePiece = uint64_t{1} << kBits;
uint64_t end_of(uint64_t ticket) { return ticket & kMask; }
uint64_t next_of(uint64_t ticket) { return ticket >> kBits & kMask; }
uint64_t number_of(uint64_t ticket) { return ticket >> 2 * kBits; }

void pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// For a counter that one thread writes.
void add(std::atomic<uint64_t>& counter, uint64_t count) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

}  // namespace

Crew::Crew(size_t helpers, uint32_t shifts) : limit_(helpers), posts_(std::make_unique<Post[]>(helpers + 1)) {
  for (size_t worker = 0; worker <= helpers; ++worker)
    posts_[worker].duty.store(shifts, std::memory_order_relaxed);
}

Crew::~Crew() {
  ending_.store(true, std::memory_order_relaxed);
  for (size_t worker = 1; worker <= helpers_.size(); ++worker) {
    posts_[worker].duty.fetch_add(2, std::memory_order_release);  // as odd as it was
    posts_[worker].duty.notify_one();
  }
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
  if (helpers == 0) return;
  on_shift_.store(helpers, std::memory_order_relaxed);
  // All before the first is called: who is called calls others.
  for (size_t worker = 1; worker <= helpers; ++worker)
    posts_[worker].duty.fetch_add(1, std::memory_order_release);
  ++shifts_;
  called_ += helpers;
  call_next(0);
}

// Whoever of them does not sleep any more, or not yet, sees its duty by itself.
void Crew::call_next(size_t worker) noexcept {
  const size_t last = on_shift_.load(std::memory_order_relaxed);
  for (size_t next = kCalls * worker + 1; next <= std::min(kCalls * (worker + 1), last); ++next)
    posts_[next].duty.notify_one();
}

void Crew::end_shift() noexcept {
  const size_t helpers = on_shift_.load(std::memory_order_relaxed);
  on_shift_.store(0, std::memory_order_relaxed);
  for (size_t worker = 1; worker <= helpers; ++worker)
    posts_[worker].duty.fetch_add(1, std::memory_order_release);
}

void Crew::share(size_t pieces, Run* run, const void* context) noexcept {
  const size_t sharers = std::min(threads(), pieces);
  if (sharers < 2) {
    for (size_t piece = 0; piece < pieces; ++piece) run(context, piece, 0);
    return;
  }
  run_ = run;
  context_ = context;
  number_ = (number_ + 1) & (~uint64_t{0} >> 2 * kBits);
  ++works_;
  written_ += sharers;
  const auto first_of = [&](size_t worker) { return pieces * worker / sharers; };
  for (size_t worker = sharers; worker-- > 0;) {
    Post& post = posts_[worker];
    post.done.store(0, std::memory_order_relaxed);
    post.ticket.store(number_ << 2 * kBits | first_of(worker) << kBits | first_of(worker + 1),
                      std::memory_order_release);
  }
  for (size_t worker = 0; worker < sharers; ++worker) take(worker, 0);
  int spins = 0;
  for (size_t worker = 0; worker < sharers; ++worker) {
    const size_t all = first_of(worker + 1) - first_of(worker);
    for (; posts_[worker].done.load(std::memory_order_acquire) != all; ++spins) {
      if (spins < kOwnerSpins)
        pause();
      else
        std::this_thread::yield();
    }
  }
}

// Does the pieces before `from` that nobody has begun; returns how many.
size_t Crew::take(size_t from, size_t worker) noexcept {
  Post& post = posts_[from];
  size_t pieces = 0;
  uint64_t ticket = post.ticket.load(std::memory_order_acquire);
  while (next_of(ticket) < end_of(ticket)) {
    if (!post.ticket.compare_exchange_weak(ticket, ticket + kOnePiece, std::memory_order_acq_rel,
                                           std::memory_order_acquire))
      continue;
    run_(context_, next_of(ticket), worker);
    post.done.fetch_add(1, std::memory_order_release);
    ++pieces;
    ticket = post.ticket.load(std::memory_order_acquire);
  }
  return pieces;
}

void Crew::help(size_t worker) noexcept {
  Post& post = posts_[worker];
  uint32_t left = 0;  // the last shift this helper has left; even: none
  for (;;) {
    uint32_t duty = post.duty.load(std::memory_order_acquire);
    while (duty % 2 == 0 || duty == left) {
      if (ending_.load(std::memory_order_relaxed)) return;
      post.duty.wait(duty, std::memory_order_acquire);
      duty = post.duty.load(std::memory_order_acquire);
      if (duty % 2 == 1) add(post.wake_ups, 1);
    }
    call_next(worker);
    stay(worker, duty);
    left = duty;
  }
}

// Until the shift ends, or there has been nothing to do for long.
void Crew::stay(size_t worker, uint32_t duty) noexcept {
  Post& post = posts_[worker];
  uint64_t polls = 0, helped = 0, taken = 0;
  uint64_t seen = ~uint64_t{0};  // the number of the last work; at first none
  for (int idle = 0; idle < kHelperSpins && post.duty.load(std::memory_order_acquire) == duty;) {
    const uint64_t number = number_of(post.ticket.load(std::memory_order_acquire));
    if (number == seen) {
      ++idle;
      ++polls;
      pause();
      continue;
    }
    seen = number;
    const size_t own = take(worker, worker), sharers = threads();
    size_t others = 0;
    for (size_t next = 1; next <= std::min(kNeighbours, sharers - 1); ++next)
      others += take((worker + next) % sharers, worker);
    if (own + others > 0) idle = 0;
    helped += own + others;
    taken += others;
  }
  add(post.polls, polls);
  add(post.helped, helped);
  add(post.taken, taken);
}

Crew::Counters Crew::counters() const noexcept {
  Counters counters{.shifts = shifts_, .works = works_, .posts = written_, .called = called_};
  for (size_t worker = 1; worker <= limit_; ++worker) {
    const Post& post = posts_[worker];
    counters.wake_ups += post.wake_ups.load(std::memory_order_relaxed);
    counters.polls += post.polls.load(std::memory_order_relaxed);
    counters.helped += post.helped.load(std::memory_order_relaxed);
    counters.taken += post.taken.load(std::memory_order_relaxed);
  }
  return counters;
}

}  // namespace gteway
