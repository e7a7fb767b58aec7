// Who is next, without threads: tasks are taken one after the other.
#include "scheduler/work_queue.hpp"

#include <deque>

#include "scheduler/fake_engine.hpp"

namespace gteway {
namespace {

const CostModel kCost{.padded = false, .max_batch_tokens = 60};

struct Queue {
  WorkQueue queue{1};
  std::deque<Task> running;

  std::vector<CallPtr> calls;

  explicit Queue(const CostModel& cost = kCost) { queue.set_cost(cost); }
  // A call holds sequences that wait for it until it ends, as every call does in the end.
  ~Queue() {
    for (const CallPtr& call : calls) {
      call->ended = true;
      queue.drop(*call);
    }
  }

  // The task runs until the test ends.
  const Task& take(size_t idle) { return running.emplace_back(queue.take(idle)); }

  std::shared_ptr<Account> account() { return std::make_shared<Account>(ClientOptions{}, fake_tokenizer()); }
  // A call whose texts are tokenized already: `lengths[i]` times the id `ids + i`.
  CallPtr ready(const std::shared_ptr<Account>& account, uint64_t number, const std::vector<size_t>& lengths,
                Urgency urgency, int32_t ids, Pooling pooling = Pooling::kMean) {
    // Two texts of 5,000 bytes are bulk, one is short.
    std::vector<std::string> texts(urgency == Urgency::kBulk ? 2 : 1, std::string(5000, 'a'));
    EmbedOptions options = filled({.pooling = pooling});
    const auto call = std::make_shared<Call>(
        Submission{.number = number, .texts = text_block(texts), .options = options, .done = {}}, account);
    CHECK(call->urgency == urgency);
    std::vector<SequencePtr> sequences;
    for (const size_t length : lengths) {
      auto sequence = std::make_unique<Sequence>();
      sequence->ids.assign(length, ids++);
      sequence->pooling = pooling;
      sequence->hash = static_cast<size_t>(ids) % 3;  // collisions must not matter
      sequence->waiters.push_back({call, 0});
      sequences.push_back(std::move(sequence));
    }
    calls.push_back(call);
    queue.add_ready(*call, std::move(sequences));
    return call;
  }
};

std::vector<size_t> lengths_of(const Task& task) {
  std::vector<size_t> lengths;
  for (const SequencePtr& sequence : task.batch) lengths.push_back(sequence->ids.size());
  return lengths;
}

using Lengths = std::vector<size_t>;

TEST("work queue: however many short calls come, bulk calls get every fourth batch") {
  Queue q;
  const auto account = q.account();
  q.ready(account, 1, Lengths(40, 15), Urgency::kBulk, 1000);
  for (uint64_t i = 2; i < 100; ++i) q.ready(account, i, {20}, Urgency::kShort, static_cast<int32_t>(10 * i));
  for (int i = 0; i < 24; ++i) CHECK_EQ(lengths_of(q.take(1)), i % 4 == 3 ? Lengths(4, 15) : Lengths(3, 20));
}

TEST("work queue: short calls go first, and bulk calls have all that is left") {
  Queue q;
  const auto account = q.account();
  q.ready(account, 1, Lengths(8, 30), Urgency::kBulk, 1000);
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{30, 30}));
  q.ready(account, 2, {5}, Urgency::kShort, 1);
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{5}));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{30, 30}));
}

TEST("work queue: a batch takes one sequence of each call per round, one client after the other") {
  Queue q;
  const auto busy = q.account(), quiet = q.account();
  for (uint64_t i = 1; i <= 10; ++i) q.ready(busy, i, {20}, Urgency::kShort, static_cast<int32_t>(10 * i));
  q.ready(quiet, 1, {19}, Urgency::kShort, 500);
  q.ready(quiet, 2, {18}, Urgency::kShort, 600);
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{20, 19, 20}));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{18, 20, 20}));
}

TEST("work queue: bulk calls have a batch each in turn, of their longest sequences") {
  Queue q({.padded = true, .max_batch_tokens = 60});
  const auto account = q.account();
  q.ready(account, 1, {9, 9, 10, 10, 10, 10, 10, 10}, Urgency::kBulk, 100);
  q.ready(account, 2, {20, 30, 30, 30}, Urgency::kBulk, 200);
  CHECK_EQ(lengths_of(q.take(1)), Lengths(6, 10));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{30, 30}));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{9, 9}));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{30}));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{20}));
  CHECK(!q.queue.has_work());
}

TEST("work queue: idle workers share what there is") {
  Queue q;
  const auto account = q.account();
  for (uint64_t i = 1; i <= 4; ++i) q.ready(account, i, {10}, Urgency::kShort, static_cast<int32_t>(10 * i));
  CHECK_EQ(lengths_of(q.take(2)), (Lengths{10, 10}));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{10, 10}));
  CHECK(!q.queue.has_work());
}

TEST("work queue: a sequence passed over for its pooling or length is first next time") {
  Queue q({.padded = true, .max_batch_tokens = 64});
  const auto account = q.account();
  q.ready(account, 1, {10}, Urgency::kShort, 10);
  q.ready(account, 2, {40}, Urgency::kShort, 20);
  q.ready(account, 3, {10}, Urgency::kShort, 30, Pooling::kCls);
  q.ready(account, 4, {11}, Urgency::kShort, 40);
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{10, 11}));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{10}));
  CHECK_EQ(lengths_of(q.take(1)), (Lengths{40}));
  CHECK(!q.queue.has_work());
}

TEST("work queue: however many calls of one pooling come, another has its turns") {
  Queue q({.padded = true, .max_batch_tokens = 64});
  const auto account = q.account();
  int32_t ids = 0;
  uint64_t number = 0;
  const auto flood = [&](Pooling pooling) {
    for (const size_t length : {5, 30, 60})
      q.ready(account, ++number, {length}, Urgency::kShort, ids += 10, pooling);
  };
  for (int i = 0; i < 10; ++i) flood(Pooling::kMean);
  for (int i = 0; i < 3; ++i) flood(Pooling::kCls);
  int cls = 0;
  for (int i = 0; i < 8; ++i) {
    cls += q.take(1).batch.front()->pooling == Pooling::kCls;
    flood(Pooling::kMean);
  }
  CHECK(cls >= 3);
}

TEST("work queue: equal sequences join, collisions of hashes do not, token rows never") {
  Queue q;
  const auto account = q.account();
  q.ready(account, 1, {5, 6, 7, 8}, Urgency::kBulk, 10);
  q.ready(account, 2, {5, 6, 7, 8}, Urgency::kBulk, 10);
  q.ready(account, 3, {5, 6, 7, 8}, Urgency::kBulk, 11);
  q.ready(account, 4, {5, 6, 7, 8}, Urgency::kBulk, 10, Pooling::kCls);
  q.ready(account, 5, {5}, Urgency::kBulk, 90, Pooling::kNone);
  q.ready(account, 6, {5}, Urgency::kBulk, 90, Pooling::kNone);
  CHECK_EQ(account->counters.coalesced, 4u);
}

TEST("work queue: a short call does not join what waits in a bulk call, but what runs") {
  Queue q;
  const auto account = q.account();
  q.ready(account, 1, {20, 21}, Urgency::kBulk, 10);
  q.ready(account, 2, {20}, Urgency::kShort, 10);
  CHECK_EQ(account->counters.coalesced, 0u);
  const Task& brief = q.take(1);
  CHECK_EQ(lengths_of(brief), (Lengths{20}));
  q.ready(account, 3, {20}, Urgency::kShort, 10);
  q.ready(account, 4, {20}, Urgency::kBulk, 10);
  CHECK_EQ(account->counters.coalesced, 2u);
  CHECK_EQ(brief.batch.front()->waiters.size(), 3u);
  CHECK_EQ(account->texts_running, 3u);
  q.queue.retire(brief.batch);
  q.ready(account, 5, {20}, Urgency::kShort, 10);
  CHECK_EQ(account->counters.coalesced, 2u);
}

TEST("work queue: dropping a call leaves what others wait for, in their own lanes") {
  Queue q;
  const auto account = q.account();
  const CallPtr owner = q.ready(account, 1, {10, 11, 12}, Urgency::kShort, 10);
  q.ready(account, 2, {11}, Urgency::kBulk, 11);
  const CallPtr idle = q.ready(account, 3, {12}, Urgency::kBulk, 12);
  CHECK_EQ(account->counters.coalesced, 2u);
  idle->ended = true;
  q.queue.drop(*idle);
  owner->ended = true;
  q.queue.drop(*owner);
  CHECK(!q.queue.has_work(Urgency::kShort));
  const Task& task = q.take(1);
  CHECK(task.urgency == Urgency::kBulk);
  CHECK_EQ(lengths_of(task), (Lengths{11}));
  CHECK(!q.queue.has_work());
}

TEST("work queue: bulk texts are tokenized up to the window, then again from its half") {
  Queue q;
  const auto account = q.account();
  std::vector<std::string> texts(2, std::string(40'000, 'a'));
  const auto waiting = std::make_shared<Call>(
      Submission{.number = 9, .texts = text_block(texts), .options = filled({}), .done = {}}, account);
  q.ready(account, 1, Lengths(16, 30), Urgency::kBulk, 100);  // 480 tokens: the window
  q.queue.add(*waiting);
  for (int i = 0; i < 4; ++i) CHECK(!q.take(1).call);  // 60 tokens each
  const Task& task = q.take(1);
  CHECK(task.call == waiting);
  CHECK_EQ(task.end, 1u);
}

}  // namespace
}  // namespace gteway
