#include "scheduler/scheduler.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/memory.hpp"
#include "base/thread_name.hpp"
#include "kernels/kernels.hpp"
#include "scheduler/policy.hpp"

namespace gteway {
namespace {

// Large enough that handing a slice out costs nothing beside tokenizing it, small enough (under a
// millisecond) that all workers share a call of a few hundred texts, and that a short call never waits long.
constexpr size_t kSliceBytes = 32 * 1024;

}  // namespace

// One embed() call. Fields above the line are set before the call is shared; those of `slices` and `results`
// belong to the worker that has the task; the rest is guarded by the scheduler's mutex.
struct Scheduler::Call {
  uint64_t number = 0;
  TextBlock texts;
  EmbedOptions options;
  Completion done;
  std::vector<size_t> slice_firsts;  // see plan_slices()

  struct Slice {
    std::vector<int32_t> ids;
    std::vector<uint32_t> lengths;  // per text of the slice
  };
  std::vector<Slice> slices;
  std::vector<int32_t> ids;        // of all texts, end to end
  std::vector<uint32_t> offsets;   // [texts + 1]
  std::vector<BatchPlan> batches;  // empty until everything is tokenized
  Embedded result;

  // ---- guarded by Scheduler::mutex_
  size_t next = 0;     // the next slice or batch to hand out
  size_t running = 0;  // tasks handed out and not finished
  bool tokenized = false;
  bool ended = false;  // `done` was called, or is about to be
  std::optional<Error> error;

  size_t stage_size() const { return tokenized ? batches.size() : slices.size(); }
  bool has_tasks() const { return !error && next < stage_size(); }
};

struct Scheduler::Task {
  std::shared_ptr<Call> call;
  bool tokenizing = false;
  size_t index = 0;
};

Scheduler::Scheduler(SchedulerOptions options, std::shared_ptr<const Tokenizer> tokenizer,
                     MakeEngine make_engine, std::function<void(Loaded)> loaded)
    : options_(options), tokenizer_(std::move(tokenizer)), live_workers_(options.threads) {
  threads_.reserve(options_.threads);
  for (size_t worker = 0; worker < options_.threads; ++worker) {
    threads_.emplace_back([this, worker, make_engine, loaded] {
      set_thread_name("gteway-" + std::to_string(worker));
      if (worker == 0) load(make_engine, loaded);
      work();
      worker_ended();
    });
  }
}

Scheduler::~Scheduler() {
  close();
  for (std::thread& thread : threads_) thread.join();
}

void Scheduler::load(const MakeEngine& make_engine, const std::function<void(Loaded)>& loaded) {
  Loaded outcome;
  std::unique_ptr<Engine> engine;
  try {
    engine = make_engine(outcome.fallbacks);
    outcome.engine = engine->info();
    outcome.cost = engine->cost();
    return_freed_memory();
  } catch (...) {
    outcome.error = current_error();
  }
  const bool failed = outcome.error.has_value();
  {
    const std::lock_guard lock(mutex_);
    engine_ = std::move(engine);
    ready_ = !failed;
    if (engine_ && closing_) engine_->terminate();
  }
  wake_.notify_all();
  loaded(std::move(outcome));
  if (failed) close();
}

void Scheduler::submit(Submission submission) {
  auto call = std::make_shared<Call>();
  call->number = submission.number;
  call->texts = std::move(submission.texts);
  call->options = submission.options;
  call->done = std::move(submission.done);
  const size_t count = call->texts.size();
  std::vector<size_t> sizes(count);
  for (size_t i = 0; i < count; ++i) sizes[i] = call->texts.text(i).size();
  call->slice_firsts = plan_slices(sizes, kSliceBytes);
  call->slices.resize(call->slice_firsts.size() - 1);
  call->result.tokens.resize(count);
  call->result.truncated.resize(count);

  std::unique_lock lock(mutex_);
  if (closing_) throw Error(ErrorCode::kClosed, "the session is closed");
  if (texts_in_flight_ > 0 && texts_in_flight_ + count > options_.max_queue)
    throw Error(ErrorCode::kOverloaded,
                "the session's queue is full: " + std::to_string(texts_in_flight_) +
                    " texts are in flight, " + std::to_string(count) + " more would pass maxQueue (" +
                    std::to_string(options_.max_queue) + "). Try again later, or slow down");
  texts_in_flight_ += count;
  all_calls_.push_back(call);
  if (call->slices.empty()) {
    end_call(lock, call);
    return;
  }
  calls_.push_back(std::move(call));
  lock.unlock();
  wake_.notify_all();
}

void Scheduler::cancel(uint64_t number) {
  std::unique_lock lock(mutex_);
  const auto found = std::find_if(all_calls_.begin(), all_calls_.end(),
                                  [number](const auto& call) { return call->number == number; });
  if (found == all_calls_.end()) return;
  const std::shared_ptr<Call> call = *found;
  call->error = Error(ErrorCode::kAborted, "the call was cancelled");
  calls_.remove(call);
  if (call->running == 0) end_call(lock, call);
}

void Scheduler::close(std::function<void()> closed) {
  std::unique_lock lock(mutex_);
  if (closed && live_workers_ == 0) {
    lock.unlock();
    closed();
    return;
  }
  if (closed && !closed_) closed_ = std::move(closed);
  if (closing_) return;
  closing_ = true;
  if (engine_) engine_->terminate();
  calls_.clear();
  const std::vector<std::shared_ptr<Call>> calls = all_calls_;
  for (const std::shared_ptr<Call>& call : calls) {
    if (call->ended) continue;
    call->error = Error(ErrorCode::kClosed, "the session was closed before this call was done");
    if (call->running == 0) {
      end_call(lock, call);
      lock.lock();
    }
  }
  lock.unlock();
  wake_.notify_all();
}

void Scheduler::work() {
  Task task;
  size_t threads = 1;
  while (next_task(task, threads)) {
    run(task, threads);
    task.call.reset();
  }
}

bool Scheduler::next_task(Task& task, size_t& threads) {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return closing_ || (ready_ && !calls_.empty()); });
  if (closing_) return false;
  const std::shared_ptr<Call> call = calls_.front();
  calls_.pop_front();
  task.call = call;
  task.tokenizing = !call->tokenized;
  task.index = call->next++;
  ++call->running;
  if (call->has_tasks()) calls_.push_back(call);
  // A batch that is alone in the session may use every thread; under load each worker has one.
  const bool alone = busy_workers_ == 0 && calls_.empty();
  threads = alone ? options_.threads : 1;
  ++busy_workers_;
  return true;
}

void Scheduler::run(Task& task, size_t threads) {
  std::optional<Error> error;
  try {
    if (task.tokenizing)
      tokenize(*task.call, task.index);
    else
      infer(*task.call, task.call->batches[task.index], threads);
  } catch (...) {
    error = current_error();
  }
  finish_task(task.call, std::move(error));
}

void Scheduler::tokenize(Call& call, size_t slice_index) {
  Call::Slice& slice = call.slices[slice_index];
  const size_t first = call.slice_firsts[slice_index], end = call.slice_firsts[slice_index + 1];
  slice.lengths.reserve(end - first);
  for (size_t i = first; i < end; ++i) {
    const size_t before = slice.ids.size();
    const bool truncated = tokenizer_->encode(call.texts.text(i), call.options.max_tokens, true, slice.ids);
    if (truncated && !call.options.truncate)
      throw Error(ErrorCode::kTextTooLong, "text " + std::to_string(i) + " has more than " +
                                               std::to_string(call.options.max_tokens) +
                                               " tokens, and truncate is false. Split it, or let it be cut");
    slice.lengths.push_back(static_cast<uint32_t>(slice.ids.size() - before));
    call.result.truncated[i] = truncated;
  }
}

// Runs once per call, on the worker that finished its last slice, while no task of the call is handed out.
void Scheduler::start_batches(Call& call) {
  std::vector<uint32_t>& lengths = call.result.tokens;
  size_t total = 0, text = 0;
  for (const Call::Slice& slice : call.slices) total += slice.ids.size();
  call.ids.reserve(total);
  call.offsets.reserve(call.texts.size() + 1);
  call.offsets.push_back(0);
  for (Call::Slice& slice : call.slices) {
    call.ids.insert(call.ids.end(), slice.ids.begin(), slice.ids.end());
    for (const uint32_t length : slice.lengths) {
      lengths[text++] = length;
      call.offsets.push_back(call.offsets.back() + length);
    }
    slice = {};
  }
  call.texts = {};
  if (call.options.dimensions == 0 || call.options.dimensions > engine_->info().dimensions)
    throw Error(ErrorCode::kInvalidArgument, "a row cannot keep " + std::to_string(call.options.dimensions) +
                                                 " of " + std::to_string(engine_->info().dimensions) +
                                                 " values");
  call.batches = plan_batches(lengths, engine_->cost());
  const size_t rows = call.options.pooling == Pooling::kNone ? total : lengths.size();
  call.result.data.resize(rows * call.options.dimensions);
}

void Scheduler::infer(Call& call, const BatchPlan& plan, size_t threads) {
  // Sorted by length, the rows of a batch are scattered over the call: gather their ids, run, put each row in
  // its place.
  static thread_local std::vector<int32_t> ids;
  static thread_local std::vector<uint32_t> offsets;
  static thread_local std::vector<float> rows;
  ids.clear();
  offsets.assign(1, 0);
  for (const uint32_t text : plan) {
    const auto begin = call.ids.begin() + call.offsets[text];
    ids.insert(ids.end(), begin, begin + call.result.tokens[text]);
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  const size_t dims = engine_->info().dimensions, kept = call.options.dimensions;
  const bool per_token = call.options.pooling == Pooling::kNone;
  rows.resize((per_token ? ids.size() : plan.size()) * dims);
  const bool normalize_here = call.options.normalize && kept < dims;
  engine_->embed({ids, offsets}, call.options.pooling, call.options.normalize && !normalize_here, threads,
                 rows);
  const float* from = rows.data();
  for (const uint32_t text : plan) {
    const size_t count = per_token ? call.result.tokens[text] : 1;
    float* to = call.result.data.data() + (per_token ? call.offsets[text] : text) * kept;
    for (size_t row = 0; row < count; ++row, from += dims, to += kept) {
      std::copy_n(from, kept, to);
      if (normalize_here) kernels::active().l2_normalize_f32(to, kept);
    }
  }
}

void Scheduler::finish_task(const std::shared_ptr<Call>& call, std::optional<Error> error) {
  std::unique_lock lock(mutex_);
  --busy_workers_;
  if (error && !call->error) {
    call->error = std::move(error);
    calls_.remove(call);
  }
  const bool last_slice = !call->error && !call->tokenized && !call->has_tasks() && call->running == 1;
  if (last_slice) {
    // The task still counts as running, so that nobody ends the call meanwhile.
    lock.unlock();
    std::optional<Error> failure;
    try {
      start_batches(*call);
    } catch (...) {
      failure = current_error();
    }
    lock.lock();
    call->tokenized = true;
    call->next = 0;
    if (!call->error) call->error = std::move(failure);
  }
  --call->running;
  if (call->has_tasks()) {
    if (!last_slice) return;
    // To the front: its slices already waited for their turns, and a short call ends soonest this way.
    calls_.push_front(call);
    lock.unlock();
    wake_.notify_all();
    return;
  }
  if (call->running == 0) end_call(lock, call);
}

// Unlocks. Calls `done` unless that happened before.
void Scheduler::end_call(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Call>& call) {
  if (call->ended) {
    lock.unlock();
    return;
  }
  call->ended = true;
  texts_in_flight_ -= call->result.tokens.size();
  std::erase(all_calls_, call);
  lock.unlock();
  if (call->error)
    call->done(std::nullopt, std::move(call->error));
  else
    call->done(std::move(call->result), std::nullopt);
}

void Scheduler::worker_ended() {
  std::unique_lock lock(mutex_);
  if (--live_workers_ > 0) return;
  engine_.reset();
  return_freed_memory();
  const std::function<void()> closed = std::move(closed_);
  lock.unlock();
  if (closed) closed();
}

}  // namespace gteway
