// What a worker does with a task: the part of Scheduler that runs without the mutex.
#include <algorithm>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "scheduler/scheduler.hpp"

namespace gteway {
namespace {

size_t hash_of(const std::vector<int32_t>& ids, Pooling pooling) {
  const std::string_view bytes(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(int32_t));
  return std::hash<std::string_view>{}(bytes) + static_cast<size_t>(pooling);
}

size_t rows_of(const Sequence& sequence) {
  return sequence.pooling == Pooling::kNone ? sequence.ids.size() : 1;
}

// NaN and the infinities are what times zero is not zero.
bool is_finite(std::span<const float> values) {
  float sum = 0;
  for (const float value : values) sum += value * 0.0F;
  return sum == 0.0F;
}

Error too_long(size_t max_tokens) {
  return Error(ErrorCode::kTextTooLong, "it has more than " + std::to_string(max_tokens) +
                                            " tokens, and truncate is false. Split it, or let it be cut");
}

}  // namespace

void Scheduler::tokenize(const Task& task) {
  const Clock::time_point start = Clock::now();
  Call& call = *task.call;
  const EmbedOptions& options = call.options;
  const size_t dimensions = engine_->info().dimensions;
  VectorCache* const cache = options.pooling == Pooling::kNone ? nullptr : call.account->cache.get();
  if (options.dimensions == 0 || options.dimensions > dimensions)
    throw Error(ErrorCode::kInvalidArgument, "a row cannot keep " + std::to_string(options.dimensions) +
                                                 " of " + std::to_string(dimensions) + " values");
  std::vector<SequencePtr> ready;
  std::vector<Settled> settled;
  for (size_t i = task.first; i < task.end; ++i) {
    const auto text = static_cast<uint32_t>(i);
    if (const auto hit =
            cache ? cache->find({call.texts.text(i), options.pooling, options.max_tokens}) : nullptr) {
      call.result.tokens[i] = hit->tokens;
      call.result.truncated[i] = hit->truncated;
      call.put(text, hit->row, dimensions);
      settled.push_back({text, {}});
      if (hit->truncated && !options.truncate) settled.back().error = too_long(options.max_tokens);
      continue;
    }
    auto sequence = std::make_unique<Sequence>();
    const bool truncated =
        call.account->tokenizer->encode(call.texts.text(i), options.max_tokens, true, sequence->ids);
    if (truncated && !options.truncate) {
      settled.push_back({text, too_long(options.max_tokens)});
      continue;
    }
    call.result.tokens[i] = static_cast<uint32_t>(sequence->ids.size());
    call.result.truncated[i] = truncated;
    sequence->pooling = options.pooling;
    sequence->hash = hash_of(sequence->ids, options.pooling);
    sequence->waiters.push_back({task.call, text});
    ready.push_back(std::move(sequence));
  }
  std::stable_sort(ready.begin(), ready.end(),
                   [](const SequencePtr& a, const SequencePtr& b) { return a->ids.size() < b->ids.size(); });
  finish_tokenizing(task, std::move(ready), settled, Clock::now() - start);
}

void Scheduler::finish_tokenizing(const Task& task, std::vector<SequencePtr> ready,
                                  const std::vector<Settled>& settled, Clock::duration spent) noexcept {
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    Call& call = *task.call;
    call.tokenizing += spent;
    charge(task, afterwards);
    for (const Settled& item : settled)
      settle(call, item.text, item.error ? &*item.error : nullptr, afterwards);
    if (!call.ended) queue_.add_ready(call, std::move(ready));
    release(task);
  }
  afterwards.run();
}

void Scheduler::run_batch(const Task& task) {
  static thread_local std::vector<float> rows;
  const size_t dimensions = engine_->info().dimensions;
  size_t count = 0;
  for (const SequencePtr& sequence : task.batch) count += rows_of(*sequence);
  rows.resize(count * dimensions);
  std::vector<std::optional<Error>> failures(task.batch.size());
  infer(task.batch, rows, task.threads, failures);

  std::vector<std::span<const float>> parts;
  std::span<const float> rest = rows;
  for (size_t i = 0; i < task.batch.size(); ++i) {
    const size_t values = rows_of(*task.batch[i]) * dimensions;
    parts.push_back(rest.first(values));
    rest = rest.subspan(values);
    if (!failures[i] && !is_finite(parts[i]))
      failures[i] = Error(ErrorCode::kInferenceFailed,
                          "the model's output is not finite: an overflow in its precision (" +
                              engine_->info().dtype + "), or damaged weights");
  }
  {
    const std::lock_guard lock(mutex_);
    queue_.retire(task.batch);  // now nobody adds waiters
  }
  for (size_t i = 0; i < task.batch.size(); ++i)
    if (!failures[i]) deliver(*task.batch[i], parts[i]);
  finish_batch(task, failures);
}

// Where a batch fails, its halves are run by themselves, down to single sequences, so that a bad one takes no
// other down: less than twice as many runs as sequences, and about 2 log2(n) for one bad one among n.
void Scheduler::infer(std::span<const SequencePtr> batch, std::span<float> rows, size_t threads,
                      std::span<std::optional<Error>> failures) {
  static thread_local std::vector<int32_t> ids;
  static thread_local std::vector<uint32_t> offsets;
  ids.clear();
  offsets.assign(1, 0);
  for (const SequencePtr& sequence : batch) {
    ids.insert(ids.end(), sequence->ids.begin(), sequence->ids.end());
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  try {
    engine_->embed({ids, offsets}, batch.front()->pooling, false, threads, rows);
    return;
  } catch (...) {
    const Error error = current_error();
    if (batch.size() == 1 || error.code == ErrorCode::kAborted) {
      std::fill(failures.begin(), failures.end(), error);
      return;
    }
  }
  const size_t half = batch.size() / 2;
  size_t values = 0;
  for (const SequencePtr& sequence : batch.first(half))
    values += rows_of(*sequence) * engine_->info().dimensions;
  infer(batch.first(half), rows.first(values), threads, failures.first(half));
  infer(batch.subspan(half), rows.subspan(values), threads, failures.subspan(half));
}

void Scheduler::deliver(const Sequence& sequence, std::span<const float> rows) {
  for (const auto& [call, text] : sequence.waiters) {
    call->put(text, rows, engine_->info().dimensions);
    if (sequence.pooling == Pooling::kNone || !call->account->cache) continue;
    const CacheKey key{call->texts.text(text), sequence.pooling, call->options.max_tokens};
    try {
      call->account->cache->insert(
          key, {{rows.begin(), rows.end()}, call->result.tokens[text], call->result.truncated[text] != 0});
    } catch (const std::bad_alloc&) {
      // The call has its row, the cache goes without.
    }
  }
}

template <class ErrorOf>
void Scheduler::settle_batch(const Task& task, const ErrorOf& error_of) noexcept {
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    queue_.retire(task.batch);
    size_t longest = 0;
    for (size_t i = 0; i < task.batch.size(); ++i) {
      const Sequence& sequence = *task.batch[i];
      longest = std::max(longest, sequence.ids.size());
      sequence.waiters.front().call->account->counters.tokens += sequence.ids.size();
      for (const auto& [call, text] : sequence.waiters) {
        --call->account->texts_running;
        settle(*call, text, error_of(i), afterwards);
      }
    }
    const size_t tokens = task.batch_tokens();
    ++counters_.batches;
    counters_.tokens += tokens;
    counters_.padded_tokens += batch_cost(loaded_.cost, task.batch.size(), longest, tokens);
    release(task);
  }
  afterwards.run();
}

void Scheduler::finish_batch(const Task& task, std::span<const std::optional<Error>> failures) noexcept {
  settle_batch(task, [failures](size_t i) { return failures[i] ? &*failures[i] : nullptr; });
}

void Scheduler::fail(const Task& task, const Error& error) noexcept {
  if (!task.call) return settle_batch(task, [&error](size_t) { return &error; });
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = task.first; i < task.end; ++i)
      settle(*task.call, static_cast<uint32_t>(i), &error, afterwards);
    release(task);
  }
  afterwards.run();
}

}  // namespace gteway
