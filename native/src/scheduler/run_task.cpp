// What a worker does with a task: the part of Scheduler that runs without the mutex.
#include <algorithm>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "scheduler/scheduler.hpp"

namespace gteway {
namespace {

size_t hash_of(const Sequence& sequence) {
  const auto hash = [](const std::vector<int32_t>& values) {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int32_t)});
  };
  return hash(sequence.ids) + (sequence.types.empty() ? 0 : 31 * hash(sequence.types)) +
         static_cast<size_t>(sequence.pooling);
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

Error too_long(const EmbedOptions& options) {
  return Error(ErrorCode::kTextTooLong,
               std::string(options.pooling == Pooling::kScore ? "with its query " : "") +
                   "it has more than " + std::to_string(options.max_tokens) +
                   " tokens, and truncate is false. Split it, or let it be cut");
}

CacheKey cache_key(const Call& call, size_t text) {
  CacheKey key{
      .text = call.texts.text(text), .pooling = call.options.pooling, .max_tokens = call.options.max_tokens};
  if (!call.queries.empty()) key.query = call.queries.of_text(text);
  return key;
}

// The ids of a text, or of a pair. Returns whether it was cut.
bool encode(const Call& call, size_t text, Sequence& sequence) {
  const Tokenizer& tokenizer = *call.account->tokenizer;
  const size_t max_tokens = call.options.max_tokens;
  if (call.queries.empty()) return tokenizer.encode(call.texts.text(text), max_tokens, true, sequence.ids);

  const std::string_view query = call.queries.of_text(text);
  const bool truncated =
      tokenizer.encode_pair(query, call.texts.text(text), max_tokens, true, sequence.ids, sequence.types);
  // Of such a query every text would have the same score.
  if (truncated) {
    static thread_local std::vector<int32_t> of_query;
    of_query.clear();
    const size_t room = max_tokens - std::min(max_tokens, tokenizer.pair_tokens_added());
    tokenizer.encode(query, room, false, of_query);
    if (of_query.size() >= room)
      throw Error(ErrorCode::kTextTooLong, "its query fills the limit of " + std::to_string(max_tokens) +
                                               " tokens and leaves no room for the text. Shorten the query");
  }
  if (std::all_of(sequence.types.begin(), sequence.types.end(), [](int32_t type) { return type == 0; }))
    sequence.types = {};
  return truncated;
}

}  // namespace

void Scheduler::tokenize(const Task& task) {
  const Clock::time_point start = Clock::now();
  Call& call = *task.call;
  const EmbedOptions& options = call.options;
  require_rows(engine_->info(), options.pooling);
  const size_t dimensions = engine_->info().width(options.pooling);
  VectorCache* const cache = options.pooling == Pooling::kNone ? nullptr : call.account->cache.get();
  if (options.dimensions == 0 || options.dimensions > dimensions)
    throw Error(ErrorCode::kInvalidArgument, "a row cannot keep " + std::to_string(options.dimensions) +
                                                 " of " + std::to_string(dimensions) + " values");
  std::vector<SequencePtr> ready;
  std::vector<Settled> settled;
  for (size_t i = task.first; i < task.end; ++i) {
    const auto text = static_cast<uint32_t>(i);
    if (const auto hit = cache ? cache->find(cache_key(call, i)) : nullptr) {
      call.result.tokens[i] = hit->tokens;
      call.result.truncated[i] = hit->truncated;
      call.put(text, hit->row, dimensions);
      settled.push_back({text, {}});
      if (hit->truncated && !options.truncate) settled.back().error = too_long(options);
      continue;
    }
    auto sequence = std::make_unique<Sequence>();
    bool truncated = false;
    try {
      truncated = encode(call, i, *sequence);
      if (truncated && !options.truncate) throw too_long(options);
    } catch (const Error& error) {
      if (error.code != ErrorCode::kTextTooLong) throw;
      settled.push_back({text, error});
      continue;
    }
    call.result.tokens[i] = static_cast<uint32_t>(sequence->ids.size());
    call.result.truncated[i] = truncated;
    sequence->pooling = options.pooling;
    sequence->hash = hash_of(*sequence);
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
  const size_t dimensions = engine_->info().width(task.batch.front()->pooling);
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
  static thread_local std::vector<int32_t> ids, types;
  static thread_local std::vector<uint32_t> offsets;
  ids.clear();
  types.clear();
  offsets.assign(1, 0);
  for (const SequencePtr& sequence : batch) {
    if (!sequence->types.empty()) {
      types.resize(ids.size());  // zeros for those before it that have none
      types.insert(types.end(), sequence->types.begin(), sequence->types.end());
    }
    ids.insert(ids.end(), sequence->ids.begin(), sequence->ids.end());
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  if (!types.empty()) types.resize(ids.size());
  const Pooling pooling = batch.front()->pooling;
  try {
    engine_->embed({ids, offsets, types}, pooling, false, threads, rows);
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
    values += rows_of(*sequence) * engine_->info().width(pooling);
  infer(batch.first(half), rows.first(values), threads, failures.first(half));
  infer(batch.subspan(half), rows.subspan(values), threads, failures.subspan(half));
}

void Scheduler::deliver(const Sequence& sequence, std::span<const float> rows) {
  for (const auto& [call, text] : sequence.waiters) {
    call->put(text, rows, engine_->info().width(sequence.pooling));
    if (sequence.pooling == Pooling::kNone || !call->account->cache) continue;
    try {
      call->account->cache->insert(
          cache_key(*call, text),
          {{rows.begin(), rows.end()}, call->result.tokens[text], call->result.truncated[text] != 0});
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
