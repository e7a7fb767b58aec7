#include "scheduler/scheduler.hpp"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "base/memory.hpp"
#include "base/thread_name.hpp"

namespace gteway {
namespace {

Error closed_error() { return Error(ErrorCode::kClosed, "the session was closed before this call was done"); }

}  // namespace

Scheduler::Scheduler(size_t threads, MakeEngine make_engine)
    : workers_(threads), make_engine_(std::move(make_engine)), queue_(threads) {}

Scheduler::~Scheduler() {
  Afterwards nothing;
  {
    const std::lock_guard lock(mutex_);
    shut({}, nothing);
  }
  for (std::thread& thread : threads_) thread.join();
}

// ---- threads

void Scheduler::work(size_t worker) {
  const bool express = worker == workers_;
  set_thread_name(express ? "gteway-express" : "gteway-" + std::to_string(worker));
  if (worker == 0) load();
  Task task;
  while (next_task(express, task)) {
    try {
      if (task.call)
        tokenize(task);
      else
        run_batch(task);
    } catch (...) {
      fail(task, current_error());
    }
    task = {};
  }
  worker_ended();
}

void Scheduler::load() {
  Loaded outcome;
  std::unique_ptr<Engine> engine;
  try {
    engine = make_engine_(outcome.fallbacks);
    outcome.engine = engine->info();
    outcome.cost = engine->cost();
    return_freed_memory();
  } catch (...) {
    outcome.error = current_error();
  }
  Afterwards afterwards;
  std::vector<OnLoaded> listeners;
  {
    const std::lock_guard lock(mutex_);
    engine_ = std::move(engine);
    ready_ = !outcome.error;
    loaded_ = outcome;
    listeners.swap(on_loaded_);
    if (engine_) {
      queue_.set_cost(outcome.cost);
      if (closing_) engine_->terminate();
    } else {
      for (const std::shared_ptr<Account>& account : accounts_)
        while (!account->calls.empty()) end_call(account->calls.begin()->second, outcome.error, afterwards);
      shut({}, afterwards);
    }
  }
  wake_.notify_all();
  for (const OnLoaded& listener : listeners) listener(outcome);
  for (const auto& act : afterwards) act();
}

bool Scheduler::next_task(bool express, Task& task) {
  std::unique_lock lock(mutex_);
  if (express) {
    wake_express_.wait(lock, [this] {
      return closing_ || (ready_ && busy_bulk_ == workers_ && queue_.has_work(Urgency::kShort));
    });
  } else {
    wake_.wait(lock, [this] { return closing_ || (ready_ && queue_.has_work()); });
  }
  if (closing_) return false;
  const size_t idle = busy_ < workers_ ? workers_ - busy_ : 1;
  task = express ? queue_.take_short(idle) : queue_.take(idle);
  task.express = express;
  ++busy_;
  if (!express && task.urgency == Urgency::kBulk) ++busy_bulk_;
  // A batch that is alone may use every thread; under load each worker has one.
  if (!express && busy_ == 1 && !queue_.has_work()) task.threads = workers_;
  wake_for_work();
  return true;
}

void Scheduler::release(const Task& task) {
  --busy_;
  if (!task.express && task.urgency == Urgency::kBulk) --busy_bulk_;
  // A worker goes on to the next task itself; the express thread may have to leave it to a worker that
  // sleeps.
  if (task.express) wake_for_work();
}

// One thread at a time: whoever takes a task wakes the next where more is left.
void Scheduler::wake_for_work() {
  if (!ready_ || !queue_.has_work()) return;
  wake_.notify_one();
  if (busy_bulk_ == workers_ && queue_.has_work(Urgency::kShort)) wake_express_.notify_one();
}

void Scheduler::worker_ended() {
  std::vector<std::function<void()>> closed;
  {
    const std::lock_guard lock(mutex_);
    if (--live_threads_ > 0) return;
    engine_.reset();
    return_freed_memory();
    closed.swap(on_closed_);
  }
  for (const auto& act : closed) act();
}

// ---- clients

bool Scheduler::attach(const std::shared_ptr<Account>& account, OnLoaded loaded) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return false;
    if (threads_.empty()) start();
    accounts_.push_back(account);
    if (!ready_) {
      on_loaded_.push_back(std::move(loaded));
      return true;
    }
  }
  loaded(loaded_);  // does not change any more
  return true;
}

// Not in the constructor, where loading could fail before there is anyone to tell.
void Scheduler::start() {
  threads_.reserve(workers_ + 1);
  try {
    for (; threads_.size() <= workers_; ++live_threads_)
      threads_.emplace_back([this, worker = threads_.size()] { work(worker); });
  } catch (const std::system_error& error) {
    closing_ = true;
    throw Error(ErrorCode::kOutOfMemory,
                "cannot start " + std::to_string(workers_ + 1) + " threads: " + error.what());
  }
}

void Scheduler::detach(const std::shared_ptr<Account>& account, std::function<void()> closed) {
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    account->closed = true;
    while (!account->calls.empty()) end_call(account->calls.begin()->second, closed_error(), afterwards);
    std::erase(accounts_, account);
    if (accounts_.empty())
      shut(std::move(closed), afterwards);
    else if (closed)
      afterwards.push_back(std::move(closed));
  }
  for (const auto& act : afterwards) act();
}

void Scheduler::shut(std::function<void()> closed, Afterwards& afterwards) {
  if (closed && live_threads_ == 0)
    afterwards.push_back(std::move(closed));
  else if (closed)
    on_closed_.push_back(std::move(closed));
  if (closing_) return;
  closing_ = true;
  if (engine_) engine_->terminate();
  wake_.notify_all();
  wake_express_.notify_all();
}

void Scheduler::submit(const std::shared_ptr<Account>& account, Submission submission) {
  const auto call = std::make_shared<Call>(std::move(submission), account);
  const size_t texts = call->texts.size(), bytes = call->texts.bytes.size();
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    if (account->closed || closing_) throw Error(ErrorCode::kClosed, "the session is closed");
    if (account->calls.contains(call->number))
      throw Error(ErrorCode::kInvalidArgument,
                  "call " + std::to_string(call->number) + " is in flight already");
    const ClientOptions& limits = account->options;
    if (account->has_room(texts, bytes)) {
      account->calls.emplace(call->number, call);
      admit(call, afterwards);
    } else if (call->options.wait) {
      account->calls.emplace(call->number, call);
      account->waiting.push_back(call);
      ++account->calls_waiting;
    } else {
      ++account->counters.rejected;
      throw Error(ErrorCode::kOverloaded,
                  "the session's queue is full: " + std::to_string(account->texts_in_flight) + " texts of " +
                      std::to_string(account->bytes_in_flight) + " bytes are in flight, and " +
                      std::to_string(texts) + " of " + std::to_string(bytes) + " more would pass maxQueue (" +
                      std::to_string(limits.max_queue) + ") or maxQueueBytes (" +
                      std::to_string(limits.max_queue_bytes) + "). Try again later, or slow down");
    }
    wake_for_work();
  }
  for (const auto& act : afterwards) act();
}

void Scheduler::cancel(Account& account, uint64_t number) {
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    const auto found = account.calls.find(number);
    if (found == account.calls.end()) return;
    const CallPtr call = found->second;
    end_call(call, Error(ErrorCode::kAborted, "the call was cancelled"), afterwards);
    wake_for_work();
  }
  for (const auto& act : afterwards) act();
}

Stats Scheduler::stats(const Account& account) {
  Stats stats;
  const std::lock_guard lock(mutex_);
  stats.counters = account.counters;
  stats.engine = counters_;
  stats.calls_in_flight = account.calls.size() - account.calls_waiting;
  stats.texts_in_flight = account.texts_in_flight;
  stats.texts_running = account.texts_running;
  stats.bytes_in_flight = account.bytes_in_flight;
  stats.calls_waiting = account.calls_waiting;
  stats.sessions = accounts_.size();
  stats.workers = workers_;
  stats.workers_busy = std::min(busy_, workers_);
  if (account.cache) stats.cache = account.cache->counters();
  if (!account.calls.empty()) {
    const Clock::duration age = Clock::now() - account.calls.begin()->second->submitted;
    stats.oldest_ms = std::chrono::duration<double, std::milli>(age).count();
  }
  return stats;
}

// ---- the life of a call, under the mutex

void Scheduler::admit(const CallPtr& call, Afterwards& afterwards) {
  call->admitted = true;
  call->account->texts_in_flight += call->texts.size();
  call->account->bytes_in_flight += call->texts.bytes.size();
  if (call->texts.size() == 0)
    end_call(call, std::nullopt, afterwards);
  else
    queue_.add(call);
}

void Scheduler::admit_waiting(Account& account, Afterwards& afterwards) {
  while (!account.waiting.empty()) {
    const CallPtr call = account.waiting.front();
    if (!call->ended && !account.has_room(call->texts.size(), call->texts.bytes.size())) return;
    account.waiting.pop_front();
    if (call->ended) continue;
    --account.calls_waiting;
    admit(call, afterwards);
  }
}

// `error` null: the text has its rows.
void Scheduler::settle(const CallPtr& call, uint32_t text, const Error* error, Afterwards& afterwards) {
  if (call->ended) return;
  if (error != nullptr) {
    Error named(error->code, "text " + std::to_string(text) + ": " + error->what());
    if (!call->options.item_errors) {
      end_call(call, std::move(named), afterwards);
      return;
    }
    call->errors.push_back({text, std::move(named)});
  }
  if (--call->unsettled == 0) end_call(call, std::nullopt, afterwards);
}

void Scheduler::end_call(const CallPtr& call, std::optional<Error> error, Afterwards& afterwards) {
  const CallPtr keep = call;  // `call` may be the account's own
  Account& account = *keep->account;
  keep->ended = true;
  account.calls.erase(keep->number);
  if (keep->admitted) {
    account.texts_in_flight -= keep->texts.size();
    account.bytes_in_flight -= keep->texts.bytes.size();
  } else {
    --account.calls_waiting;
  }
  queue_.drop(*keep);

  Counters& counters = account.counters;
  if (error) {
    ++(error->code == ErrorCode::kAborted ? counters.cancelled : counters.failed);
    afterwards.push_back([done = std::move(keep->done), failure = std::move(*error)]() mutable {
      done(std::nullopt, std::move(failure));
    });
  } else {
    const Clock::time_point now = Clock::now();
    const bool computed = keep->first_batch != Clock::time_point();
    const Clock::time_point until = computed ? keep->first_batch : now;
    ++counters.calls;
    counters.texts += keep->texts.size();
    counters.failed_texts += keep->errors.size();
    counters.queue.record(until - keep->submitted -
                          (computed ? keep->tokenizing_before_batch : keep->tokenizing));
    counters.tokenize.record(keep->tokenizing);
    if (computed) counters.infer.record(now - until);
    counters.total.record(now - keep->submitted);
    afterwards.push_back([keep, done = std::move(keep->done)] {
      std::optional<Embedded> result;
      try {
        result = keep->take_result();
      } catch (...) {
        done(std::nullopt, current_error());
        return;
      }
      done(std::move(result), std::nullopt);
    });
  }
  admit_waiting(account, afterwards);
}

}  // namespace gteway
