#include "scheduler/scheduler.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "base/memory.hpp"
#include "base/thread_name.hpp"

namespace gteway {
namespace {

Error closed_error() noexcept {
  return Error(ErrorCode::kClosed, Literal("the session was closed before this call was done"));
}

}  // namespace

Scheduler::Scheduler(size_t threads, MakeEngine make_engine)
    : workers_(threads), make_engine_(std::move(make_engine)), queue_(threads) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    shut();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Scheduler::Afterwards::add(CallPtr ended) noexcept {
  Call* const call = ended.get();
  (last_ != nullptr ? last_->next_ended : first_) = std::move(ended);
  last_ = call;
}

void Scheduler::Afterwards::run() noexcept {
  while (first_ != nullptr) {
    const CallPtr call = std::exchange(first_, std::move(first_->next_ended));
    const Completion done = std::move(call->done);
    if (call->failure)
      done(std::nullopt, std::move(call->failure));
    else
      done(call->take_result(), std::nullopt);
  }
  if (loaded) loaded({.error = closed_error(), .engine = {}, .cost = {}, .fallbacks = {}});
  if (closed) closed();
}

// ---- threads

void Scheduler::work(size_t worker) noexcept {
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

void Scheduler::load() noexcept {
  Loaded outcome;
  std::unique_ptr<Engine> engine;
  try {
    engine = make_engine_(outcome.fallbacks, stop_loading_);
    outcome.engine = engine->info();
    outcome.cost = engine->cost();
    return_freed_memory();
  } catch (...) {
    outcome.error = current_error();
    engine.reset();
  }
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    engine_ = std::move(engine);
    ready_ = !outcome.error;
    loaded_ = std::move(outcome);
    if (engine_) {
      queue_.set_cost(loaded_.cost);
      if (closing_) engine_->terminate();
    } else {
      for (const std::shared_ptr<Account>& account : accounts_)
        while (!account->calls.empty())
          end_call(*account->calls.begin()->second, copy_of(*loaded_.error), afterwards);
      shut();
    }
  }
  wake_.notify_all();
  while (const OnLoaded loaded = next_listener()) loaded(loaded_);
  afterwards.run();
}

OnLoaded Scheduler::next_listener() noexcept {
  const std::lock_guard lock(mutex_);
  for (const std::shared_ptr<Account>& account : accounts_)
    if (account->loaded) return std::exchange(account->loaded, nullptr);
  return nullptr;
}

bool Scheduler::next_task(bool express, Task& task) noexcept {
  for (;;) {
    Afterwards afterwards;
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
    try {
      task = express ? queue_.take_short(idle) : queue_.take(idle);
    } catch (const std::bad_alloc&) {
      // One call fewer each time, so that this ends.
      if (const CallPtr call = queue_.next_in_turn()) end_call(*call, current_error(), afterwards);
      lock.unlock();
      afterwards.run();
      continue;
    }
    task.express = express;
    ++busy_;
    if (!express && task.urgency == Urgency::kBulk) ++busy_bulk_;
    // A batch that is alone may use every thread; under load each worker has one.
    if (!express && busy_ == 1 && !queue_.has_work()) task.threads = workers_;
    wake_for_work();
    return true;
  }
}

void Scheduler::release(const Task& task) noexcept {
  --busy_;
  if (!task.express && task.urgency == Urgency::kBulk) --busy_bulk_;
  // A worker goes on to the next task itself; the express thread may have to leave it to a worker that
  // sleeps.
  if (task.express) wake_for_work();
}

// One thread at a time: whoever takes a task wakes the next where more is left.
void Scheduler::wake_for_work() noexcept {
  if (!ready_ || !queue_.has_work()) return;
  wake_.notify_one();
  if (busy_bulk_ == workers_ && queue_.has_work(Urgency::kShort)) wake_express_.notify_one();
}

void Scheduler::worker_ended() noexcept {
  std::unique_ptr<Engine> engine;
  {
    const std::lock_guard lock(mutex_);
    if (--live_threads_ > 0) return;
    engine = std::move(engine_);
  }
  if (engine) {
    engine.reset();
    return_freed_memory();
  }
  std::function<void()> closed;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    closed.swap(on_closed_);
  }
  if (closed) closed();
}

// ---- clients

bool Scheduler::attach(const std::shared_ptr<Account>& account) {
  OnLoaded loaded;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return false;
    // First what may fail, then what makes the account known.
    accounts_.reserve(accounts_.size() + 1);
    if (threads_.empty()) start();
    accounts_.push_back(account);
    if (ready_) loaded.swap(account->loaded);
  }
  if (loaded) loaded(loaded_);
  return true;
}

// Not in the constructor, where loading could fail before there is anyone to tell.
void Scheduler::start() {
  try {
    threads_.reserve(workers_ + 1);
    for (; threads_.size() <= workers_; ++live_threads_) {
      threads_.emplace_back([this, worker = threads_.size()] { work(worker); });
      ended_ = false;
    }
  } catch (const std::exception& error) {
    shut();  // those that did start
    throw Error(ErrorCode::kOutOfMemory,
                "cannot start " + std::to_string(workers_ + 1) + " threads: " + error.what());
  }
}

void Scheduler::detach(const std::shared_ptr<Account>& account, std::function<void()> closed) noexcept {
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    account->closed = true;
    afterwards.loaded.swap(account->loaded);
    while (!account->calls.empty()) end_call(*account->calls.begin()->second, closed_error(), afterwards);
    std::erase(accounts_, account);
    if (accounts_.empty()) shut();
    if (accounts_.empty() && !ended_)
      on_closed_ = std::move(closed);
    else
      afterwards.closed = std::move(closed);
  }
  afterwards.run();
}

// Threads that load or compute are told to give up; they end when they see it, and the last one releases the
// engine.
void Scheduler::shut() noexcept {
  if (closing_) return;
  closing_ = true;
  stop_loading_->stop();
  if (engine_) engine_->terminate();
  wake_.notify_all();
  wake_express_.notify_all();
}

void Scheduler::submit(const std::shared_ptr<Account>& account, Submission submission) {
  const auto call = std::make_shared<Call>(std::move(submission), account);
  const size_t texts = call->texts.size(), bytes = call->bytes;
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
      admit(*call, afterwards);
    } else if (call->options.wait) {
      account->calls.emplace(call->number, call);
      account->waiting.push_back(*call);
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
  afterwards.run();
}

void Scheduler::cancel(Account& account, uint64_t number) noexcept {
  Afterwards afterwards;
  {
    const std::lock_guard lock(mutex_);
    const auto found = account.calls.find(number);
    if (found == account.calls.end()) return;
    end_call(*found->second, Error(ErrorCode::kAborted, Literal("the call was cancelled")), afterwards);
    wake_for_work();
  }
  afterwards.run();
}

Stats Scheduler::stats(const Account& account) noexcept {
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

void Scheduler::admit(Call& call, Afterwards& afterwards) noexcept {
  call.admitted = true;
  call.account->texts_in_flight += call.texts.size();
  call.account->bytes_in_flight += call.bytes;
  if (call.texts.size() == 0)
    end_call(call, std::nullopt, afterwards);
  else
    queue_.add(call);
}

void Scheduler::admit_waiting(Account& account, Afterwards& afterwards) noexcept {
  while (!account.waiting.empty()) {
    Call& call = account.waiting.front();
    if (!account.has_room(call.texts.size(), call.bytes)) return;
    account.waiting.erase(call);
    --account.calls_waiting;
    admit(call, afterwards);
  }
}

// Now it is known how many rows the texts have.
void Scheduler::charge(const Task& task, Afterwards& afterwards) noexcept {
  Call& call = *task.call;
  if (call.ended || call.options.pooling != Pooling::kNone) return;
  size_t expected = 0, known = 0;
  for (size_t i = task.first; i < task.end; ++i) {
    expected += call.expected_row_bytes(i);
    known += call.row_bytes(i);
  }
  call.bytes += known - expected;
  call.account->bytes_in_flight += known - expected;
  admit_waiting(*call.account, afterwards);
}

// `error` null: the text has its rows.
void Scheduler::settle(Call& call, uint32_t text, const Error* error, Afterwards& afterwards) noexcept {
  if (call.ended) return;
  if (error != nullptr) {
    try {
      Error named(error->code, "text " + std::to_string(text) + ": " + error->what());
      if (call.options.item_errors) {
        call.errors.push_back({text, std::move(named)});
      } else {
        end_call(call, std::move(named), afterwards);
        return;
      }
    } catch (const std::bad_alloc&) {
      end_call(call, current_error(), afterwards);
      return;
    }
  }
  if (--call.unsettled == 0) end_call(call, std::nullopt, afterwards);
}

void Scheduler::end_call(Call& call, std::optional<Error> error, Afterwards& afterwards) noexcept {
  Account& account = *call.account;
  const auto found = account.calls.find(call.number);
  CallPtr owner = std::move(found->second);
  account.calls.erase(found);
  call.ended = true;
  if (call.admitted) {
    account.texts_in_flight -= call.texts.size();
    account.bytes_in_flight -= call.bytes;
  } else {
    --account.calls_waiting;
    account.waiting.erase(call);
  }
  queue_.drop(call);

  Counters& counters = account.counters;
  if (error) {
    ++(error->code == ErrorCode::kAborted ? counters.cancelled : counters.failed);
    call.failure = std::move(error);
  } else {
    const Clock::time_point now = Clock::now();
    const bool computed = call.first_batch != Clock::time_point();
    const Clock::time_point until = computed ? call.first_batch : now;
    ++counters.calls;
    counters.texts += call.texts.size();
    counters.failed_texts += call.errors.size();
    counters.queue.record(until - call.submitted -
                          (computed ? call.tokenizing_before_batch : call.tokenizing));
    counters.tokenize.record(call.tokenizing);
    if (computed) counters.infer.record(now - until);
    counters.total.record(now - call.submitted);
  }
  afterwards.add(std::move(owner));
  admit_waiting(account, afterwards);
}

}  // namespace gteway
