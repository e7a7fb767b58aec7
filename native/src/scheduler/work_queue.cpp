#include "scheduler/work_queue.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace gteway {
namespace {

// Large enough that handing a slice out costs nothing beside tokenizing it, small enough (under a
// millisecond) that all workers share a call of a few hundred texts, and that a short call never waits long.
constexpr size_t kSliceBytes = 32 * 1024;

// For a padded batch of short calls, how many times as many tokens as fit are looked at, to find near
// lengths: simulated on mixed lengths, 2, 4, 8 and 16 times leave 84, 88, 92 and 95 % of a batch unpadded. At
// most so many sequences, since the scheduler's mutex is held.
constexpr size_t kPaddedChoice = 16;
constexpr size_t kMostOffered = 512;

bool by_length(const SequencePtr& a, const SequencePtr& b) { return a->ids.size() < b->ids.size(); }

void begin_batch(const Waiter& waiter, Clock::time_point now) {
  waiter.call->begin_batch(now);
  ++waiter.call->account->texts_running;
}

}  // namespace

TextsTurn& WorkQueue::texts_turn(Call& call) noexcept {
  return call.account->texts_turns[static_cast<size_t>(call.urgency)];
}

ReadyTurn& WorkQueue::ready_turn(Call& call) noexcept {
  return call.account->ready_turns[static_cast<size_t>(call.urgency)];
}

size_t Task::batch_tokens() const noexcept {
  size_t tokens = 0;
  for (const SequencePtr& sequence : batch) tokens += sequence->ids.size();
  return tokens;
}

void WorkQueue::add(Call& call) noexcept {
  call.in_turn_texts = true;
  lane(call.urgency).texts.push_back(call);
}

void WorkQueue::add_ready(Call& call, std::vector<SequencePtr> sequences) noexcept {
  const auto added = static_cast<ptrdiff_t>(call.ready.size());
  for (SequencePtr& sequence : sequences) {
    if (join(*sequence)) continue;
    lane(call.urgency).ready_tokens += sequence->ids.size();
    call.ready.push_back(std::move(sequence));  // it has room for one per text
  }
  std::inplace_merge(call.ready.begin(), call.ready.begin() + added, call.ready.end(), by_length);
  if (call.ready.empty() || call.in_turn_ready) return;
  call.in_turn_ready = true;
  lane(call.urgency).ready.push_back(call);
}

// Token rows are not shared: a copy of them for each text would cost more memory than what it saves in time.
// Where there is no memory to note who shares, nobody does.
bool WorkQueue::join(Sequence& sequence) noexcept {
  if (sequence.pooling == Pooling::kNone) return false;
  try {
    const auto [found, inserted] = in_hand_.insert(&sequence);
    if (inserted) return false;
    Sequence& other = **found;
    Waiter& waiter = sequence.waiters.front();
    // A short call does not wait for a bulk call's turn: it goes its own way, and later texts go with it.
    if (!other.running && waiter.call->urgency == Urgency::kShort &&
        other.waiters.front().call->urgency == Urgency::kBulk) {
      auto node = in_hand_.extract(found);
      node.value() = &sequence;
      in_hand_.insert(std::move(node));
      return false;
    }
    other.waiters.push_back(waiter);
    ++waiter.call->account->counters.coalesced;
    if (other.running) begin_batch(waiter, Clock::now());
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void WorkQueue::forget(const Sequence& sequence) noexcept {
  const auto found = in_hand_.find(const_cast<Sequence*>(&sequence));
  if (found != in_hand_.end() && *found == &sequence) in_hand_.erase(found);
}

void WorkQueue::drop(Call& call) noexcept {
  Lane& from = lane(call.urgency);
  if (call.in_turn_texts) from.texts.erase(call);
  if (call.in_turn_ready) from.ready.erase(call);
  call.in_turn_texts = call.in_turn_ready = false;
  for (SequencePtr& sequence : std::exchange(call.ready, {})) {
    from.ready_tokens -= sequence->ids.size();
    std::erase_if(sequence->waiters, [](const Waiter& waiter) { return waiter.call->ended; });
    if (sequence->waiters.empty()) {
      forget(*sequence);
    } else {
      Call& heir = *sequence->waiters.front().call;
      hold(heir, std::move(sequence));
    }
  }
}

void WorkQueue::hold(Call& call, SequencePtr sequence) noexcept {
  lane(call.urgency).ready_tokens += sequence->ids.size();
  const auto place = std::upper_bound(call.ready.begin(), call.ready.end(), sequence, by_length);
  call.ready.insert(place, std::move(sequence));  // it has room for one per text
  if (call.in_turn_ready) return;
  call.in_turn_ready = true;
  lane(call.urgency).ready.push_front(call);
}

void WorkQueue::retire(const std::vector<SequencePtr>& batch) noexcept {
  for (const SequencePtr& sequence : batch) forget(*sequence);
}

bool WorkQueue::wants_texts(Urgency urgency) noexcept {
  Lane& from = lane(urgency);
  if (from.texts.empty()) return false;
  if (urgency == Urgency::kShort) return true;
  // Filled to the brim, then left alone until half of it is gone: so that sorting has much to choose from.
  if (from.ready_tokens >= bulk_window(cost_)) filling_ = false;
  if (from.ready_tokens <= bulk_window(cost_) / 2) filling_ = true;
  return filling_;
}

bool WorkQueue::has_work(Urgency urgency) const noexcept {
  return !lane(urgency).ready.empty() || !lane(urgency).texts.empty();
}

// Tokenizing first: it is short, and the more sequences are ready, the better the batch.
Task WorkQueue::take(size_t idle) {
  if (wants_texts(Urgency::kShort)) return take_texts(Urgency::kShort);
  const bool bulk = has_work(Urgency::kBulk);
  if (!lane(Urgency::kShort).ready.empty() &&
      (!bulk || choose_urgency(short_tokens_since_bulk_, cost_) == Urgency::kShort)) {
    Task task = take_batch(Urgency::kShort, idle);
    short_tokens_since_bulk_ = bulk ? short_tokens_since_bulk_ + task.batch_tokens() : 0;
    return task;
  }
  if (wants_texts(Urgency::kBulk)) return take_texts(Urgency::kBulk);
  short_tokens_since_bulk_ = 0;
  return take_batch(Urgency::kBulk, workers_);
}

Task WorkQueue::take_short(size_t idle) {
  return wants_texts(Urgency::kShort) ? take_texts(Urgency::kShort) : take_batch(Urgency::kShort, idle);
}

Task WorkQueue::take_texts(Urgency urgency) noexcept {
  auto& turns = lane(urgency).texts;
  Call& call = turns.pop();
  Task task;
  task.urgency = urgency;
  task.call = call.shared_from_this();
  task.first = call.next_text;
  task.end = slice_end(call.texts.ends, task.first, kSliceBytes);
  call.next_text = task.end;
  call.in_turn_texts = task.end < call.texts.size();
  if (call.in_turn_texts) turns.push_back(call);
  return task;
}

// Of short calls one sequence each per round, so that a call of one text is in the next batch however long
// the others are. Of bulk calls a batch from each, as far as it goes, since within a call there are most
// sequences of near length.
Task WorkQueue::take_batch(Urgency urgency, size_t workers) {
  Lane& from = lane(urgency);
  const bool bulk = urgency == Urgency::kBulk;
  const size_t backlog = from.texts.empty() ? from.ready_tokens : SIZE_MAX / 2;
  const size_t budget = batch_budget(cost_, backlog, workers);
  const size_t choice = cost_.padded && !bulk ? kPaddedChoice * budget : budget;

  std::vector<Offer> offered;
  std::vector<uint32_t> lengths;
  LinkedList<Call, &Call::link_ready> others;  // with another pooling, the last one first
  // Who was passed over goes before those who come later, and first of all who was for its pooling.
  const auto put_back = [&]() noexcept {
    for (size_t i = offered.size(); i-- > 0;) {
      if (!offered[i].sequence) continue;
      from.ready_tokens -= offered[i].sequence->ids.size();
      hold(*offered[i].call, std::move(offered[i].sequence));
    }
    while (!others.empty()) {
      Call& call = others.front();
      others.erase(call);
      from.ready.push_front(call);
    }
  };

  Task task;
  task.urgency = urgency;
  try {
    size_t tokens = 0, passed_over = 0;
    while ((tokens < budget || (tokens < choice && offered.size() < kMostOffered)) &&
           passed_over < kMostOffered && !from.ready.empty()) {
      Call& call = from.ready.front();
      if (!offered.empty() && call.ready.back()->pooling != offered.front().sequence->pooling) {
        others.push_front(from.ready.pop());
        ++passed_over;
        continue;
      }
      do {
        lengths.push_back(static_cast<uint32_t>(call.ready.back()->ids.size()));
        offered.push_back({nullptr, &call});
        offered.back().sequence = std::move(call.ready.back());
        call.ready.pop_back();
        tokens += lengths.back();
      } while (bulk && tokens < budget && !call.ready.empty());
      from.ready.pop();
      call.in_turn_ready = !call.ready.empty();
      if (call.in_turn_ready) from.ready.push_back(call);
    }
    const std::vector<uint32_t> chosen = choose_batch(lengths, cost_, budget);
    task.batch.reserve(chosen.size());
    const Clock::time_point now = Clock::now();
    for (const uint32_t index : chosen) {
      SequencePtr& sequence = offered[index].sequence;
      sequence->running = true;
      from.ready_tokens -= lengths[index];
      for (const Waiter& waiter : sequence->waiters) begin_batch(waiter, now);
      task.batch.push_back(std::move(sequence));
    }
  } catch (...) {
    put_back();
    throw;
  }
  put_back();
  return task;
}

CallPtr WorkQueue::next_in_turn() const noexcept {
  for (const Urgency urgency : {Urgency::kShort, Urgency::kBulk})
    if (!lane(urgency).ready.empty()) return lane(urgency).ready.front().shared_from_this();
  return nullptr;
}

}  // namespace gteway
