// The work that waits: texts to tokenize and sequences to compute, each short before bulk, in turns. Decides
// what a worker does next, by the policy. Not thread-safe: the scheduler's mutex guards it.
#pragma once

#include <optional>
#include <unordered_set>
#include <vector>

#include "scheduler/call.hpp"

namespace gteway {

// Calls taken in turn: one account after the other, and within each, one call after the other. The turns are
// the accounts'; `Of` tells which of them is a call's.
template <class Turn, Turn& (*Of)(Call&)>
class Turns {
 public:
  bool empty() const noexcept { return turns_.empty(); }
  Call& front() const noexcept { return turns_.front().calls.front(); }  // not where empty()

  Call& pop() noexcept {  // not where empty()
    Turn& turn = turns_.front();
    Call& call = turn.calls.front();
    turn.calls.erase(call);
    turns_.erase(turn);
    if (!turn.calls.empty()) turns_.push_back(turn);
    return call;
  }
  void push_back(Call& call) noexcept {
    Turn& turn = Of(call);
    if (turn.calls.empty()) turns_.push_back(turn);
    turn.calls.push_back(call);
  }
  void push_front(Call& call) noexcept {  // before everyone else
    Turn& turn = Of(call);
    if (!turn.calls.empty()) turns_.erase(turn);
    turns_.push_front(turn);
    turn.calls.push_front(call);
  }
  void erase(Call& call) noexcept {
    Turn& turn = Of(call);
    turn.calls.erase(call);
    if (turn.calls.empty()) turns_.erase(turn);
  }

 private:
  LinkedList<Turn, &Turn::link> turns_;
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

// Of what is called here, only take(), take_short() and add_ready()'s argument need memory: calls and
// sequences go from list to list through links of their own.
class WorkQueue {
 public:
  explicit WorkQueue(size_t workers) : workers_(workers) {}
  void set_cost(const CostModel& cost) { cost_ = cost; }

  void add(Call& call) noexcept;  // with texts, all of them to be tokenized
  // Sequences of `call` (each one's only waiter), longest last. One that equals a sequence in hand joins it.
  void add_ready(Call& call, std::vector<SequencePtr> sequences) noexcept;
  // Forgets what waits for a call that ended, except what others wait for too.
  void drop(Call& call) noexcept;
  // A batch is over: from now on none of its sequences gets new waiters.
  void retire(const std::vector<SequencePtr>& batch) noexcept;

  bool has_work(Urgency urgency) const noexcept;
  bool has_work() const noexcept { return has_work(Urgency::kShort) || has_work(Urgency::kBulk); }
  // The next task; `idle` is how many workers, the caller included, have nothing to do. Not where
  // !has_work(). Throws std::bad_alloc, and has changed nothing then.
  Task take(size_t idle);
  Task take_short(size_t idle);  // not where !has_work(kShort)
  // A call whose sequences would be in the next batch; null where there are none.
  CallPtr next_in_turn() const noexcept;

 private:
  struct HashOf {
    size_t operator()(const Sequence* sequence) const noexcept { return sequence->hash; }
  };
  struct SameIds {
    bool operator()(const Sequence* a, const Sequence* b) const noexcept {
      return a->pooling == b->pooling && a->ids == b->ids && a->types == b->types;
    }
  };
  static TextsTurn& texts_turn(Call& call) noexcept;
  static ReadyTurn& ready_turn(Call& call) noexcept;
  struct Lane {
    Turns<TextsTurn, texts_turn> texts;  // calls with texts that no worker has taken
    Turns<ReadyTurn, ready_turn> ready;  // calls with ready sequences
    size_t ready_tokens = 0;             // of those
  };
  struct Offer {
    SequencePtr sequence;
    Call* call;
  };

  Lane& lane(Urgency urgency) noexcept { return lanes_[static_cast<size_t>(urgency)]; }
  const Lane& lane(Urgency urgency) const noexcept { return lanes_[static_cast<size_t>(urgency)]; }
  bool join(Sequence& sequence) noexcept;
  void hold(Call& call, SequencePtr sequence) noexcept;
  void forget(const Sequence& sequence) noexcept;
  bool wants_texts(Urgency urgency) noexcept;
  Task take_texts(Urgency urgency) noexcept;
  Task take_batch(Urgency urgency, size_t workers);

  const size_t workers_;
  CostModel cost_;
  Lane lanes_[2];
  bool filling_ = true;  // whether bulk texts are tokenized until the window is full
  size_t short_tokens_since_bulk_ = 0;
  std::unordered_set<Sequence*, HashOf, SameIds> in_hand_;  // ready or running, and open to more waiters
};

}  // namespace gteway
