// The work that waits: texts to tokenize and sequences to compute, each short before bulk, in turns. Decides
// what a worker does next, by the policy. Not thread-safe: the scheduler's mutex guards it.
#pragma once

#include <deque>
#include <list>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "scheduler/call.hpp"

namespace gteway {

// Calls taken in turn: one account after the other, and within each, one call after the other. Calls that
// ended meanwhile are passed over.
class Turns {
 public:
  bool empty();
  CallPtr pop();  // not where empty()
  void push_back(CallPtr call);
  void push_front(CallPtr call);  // before everyone else

 private:
  using Turn = std::pair<const Account*, std::deque<CallPtr>>;
  Turn& turn_of(const Account* account, bool front);

  std::list<Turn> turns_;
};

// What a worker does next: tokenize texts [first, end) of `call`, or, where that is null, run `batch`.
struct Task {
  CallPtr call;
  size_t first = 0;
  size_t end = 0;
  std::vector<SequencePtr> batch;
  Urgency urgency = Urgency::kShort;
  size_t threads = 1;    // that the batch may use
  bool express = false;  // whether the express thread has it

  size_t batch_tokens() const noexcept;
};

class WorkQueue {
 public:
  explicit WorkQueue(size_t workers) : workers_(workers) {}
  void set_cost(const CostModel& cost) { cost_ = cost; }

  void add(CallPtr call);  // with texts, all of them to be tokenized
  // Sequences of `call` (each one's only waiter), longest last. One that equals a sequence in hand joins it.
  void add_ready(const CallPtr& call, std::vector<SequencePtr> sequences);
  // Forgets what waits for a call that ended, except what others wait for too.
  void drop(Call& call);
  // A batch is over: from now on none of its sequences gets new waiters.
  void retire(const std::vector<SequencePtr>& batch);

  bool has_work(Urgency urgency);
  bool has_work() { return has_work(Urgency::kShort) || has_work(Urgency::kBulk); }
  // The next task; `idle` is how many workers, the caller included, have nothing to do. Not where
  // !has_work().
  Task take(size_t idle);
  Task take_short(size_t idle);  // not where !has_work(kShort)

 private:
  struct HashOf {
    size_t operator()(const Sequence* sequence) const noexcept { return sequence->hash; }
  };
  struct SameIds {
    bool operator()(const Sequence* a, const Sequence* b) const noexcept {
      return a->pooling == b->pooling && a->ids == b->ids;
    }
  };
  struct Lane {
    Turns texts;              // calls with texts that no worker has taken
    Turns ready;              // calls with ready sequences
    size_t ready_tokens = 0;  // of those
  };

  Lane& lane(Urgency urgency) { return lanes_[static_cast<size_t>(urgency)]; }
  bool join(Sequence& sequence);
  void hold(const CallPtr& call, SequencePtr sequence);
  void forget(const Sequence& sequence);
  bool wants_texts(Urgency urgency);
  Task take_texts(Urgency urgency);
  Task take_batch(Urgency urgency, size_t workers);

  const size_t workers_;
  CostModel cost_;
  Lane lanes_[2];
  bool filling_ = true;  // whether bulk texts are tokenized until the window is full
  size_t short_tokens_since_bulk_ = 0;
  std::unordered_set<Sequence*, HashOf, SameIds> in_hand_;  // ready or running, and open to more waiters
};

}  // namespace gteway
