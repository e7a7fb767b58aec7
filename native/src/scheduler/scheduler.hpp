// Owns an engine and its worker threads, and shares them among the calls of any number of clients.
//
//   JS thread ── submit() ──▶ WorkQueue ── Task ──▶ workers: tokenize · engine.embed() ── Completion ──▶
//
// Texts become sequences of token ids, and whatever sequences are ready, of whichever calls, run in one
// batch, as large as the policy allows. Nothing waits while a worker is idle. Beside the workers there is an
// express thread, which serves short calls while every worker is busy with bulk work: the operating system
// shares the processors among them in slices far shorter than a batch, so a short call need not wait for one
// to end, and bulk batches can have the size that is best for throughput.
//
// One mutex guards the queue, the accounts and the counters. It is never held while loading, tokenizing,
// computing, copying rows, releasing the engine or calling back. Every public member may be called
// from any thread but the workers, the destructor by the last owner.
//
// Where memory runs out, the call that needed it ends with kOutOfMemory and everything else goes on: what
// settles calls, moves them between lists and ends threads allocates nothing.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/factory.hpp"
#include "scheduler/call.hpp"
#include "scheduler/work_queue.hpp"

namespace gteway {

class Scheduler {
 public:
  // `stop` is set when nobody wants the engine any more.
  using MakeEngine = std::function<std::unique_ptr<Engine>(std::vector<Fallback>&,
                                                           const std::shared_ptr<const StopFlag>& stop)>;

  // The first client starts the threads, of which the first makes the engine. Calls made meanwhile wait for
  // it.
  Scheduler(size_t threads, MakeEngine make_engine);
  // Waits for the workers, which end as soon as the engine, or its loading, lets go of them.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Adds a client, whose account->loaded is called once, from any thread, maybe before this returns: with
  // kClosed where the client goes before the engine is there. False: the scheduler is closing, and nothing
  // happened. Throws Error{kOutOfMemory} where no threads can be had, or no memory.
  bool attach(const std::shared_ptr<Account>& account);
  // Ends the client's calls with kClosed; `closed` is called when nothing of it is left. The last one to go
  // closes the scheduler: the workers end and release the engine before `closed`. Once per account.
  void detach(const std::shared_ptr<Account>& account, std::function<void()> closed) noexcept;

  // See Client.
  void submit(const std::shared_ptr<Account>& account, Submission submission);
  void cancel(Account& account, uint64_t number) noexcept;
  Stats stats(const Account& account) noexcept;

 private:
  // What to do once the mutex is free again: completions in the order in which their calls ended, then the
  // rest.
  class Afterwards {
   public:
    Afterwards() = default;
    Afterwards(const Afterwards&) = delete;
    Afterwards& operator=(const Afterwards&) = delete;
    void add(CallPtr ended) noexcept;
    void run() noexcept;

    OnLoaded loaded;  // of a client that goes
    std::function<void()> closed;

   private:
    CallPtr first_;
    Call* last_ = nullptr;
  };
  struct Settled {
    uint32_t text;
    std::optional<Error> error;  // none: its row is there
  };

  void start();
  void work(size_t worker) noexcept;
  void load() noexcept;
  OnLoaded next_listener() noexcept;
  bool next_task(bool express, Task& task) noexcept;
  void wake_for_work() noexcept;

  // run_task.cpp. They throw only before they settle anything; the finish_… settle, and free the worker.
  void tokenize(const Task& task);
  void run_batch(const Task& task);
  void infer(std::span<const SequencePtr> batch, std::span<float> rows, size_t threads,
             std::span<std::optional<Error>> failures);
  void deliver(const Sequence& sequence, std::span<const float> rows);
  void finish_tokenizing(const Task& task, std::vector<SequencePtr> ready,
                         const std::vector<Settled>& settled, Clock::duration spent) noexcept;
  void finish_batch(const Task& task, std::span<const std::optional<Error>> failures) noexcept;
  void fail(const Task& task, const Error& error) noexcept;
  template <class ErrorOf>  // const Error*(size_t sequence): null where it has its rows
  void settle_batch(const Task& task, const ErrorOf& error_of) noexcept;

  void admit(Call& call, Afterwards& afterwards) noexcept;
  void charge(const Task& task, Afterwards& afterwards) noexcept;
  void settle(Call& call, uint32_t text, const Error* error, Afterwards& afterwards) noexcept;
  void end_call(Call& call, std::optional<Error> error, Afterwards& afterwards) noexcept;
  void admit_waiting(Account& account, Afterwards& afterwards) noexcept;
  void release(const Task& task) noexcept;
  void shut() noexcept;
  void worker_ended() noexcept;

  const size_t workers_;
  const MakeEngine make_engine_;
  const std::shared_ptr<StopFlag> stop_loading_ = std::make_shared<StopFlag>();
  std::unique_ptr<Engine> engine_;  // set before ready_; released by the last worker
  Loaded loaded_;                   // set by loading, whatever came of it; constant from then on

  std::mutex mutex_;
  // ---- guarded by mutex_
  std::condition_variable wake_;          // workers
  std::condition_variable wake_express_;  // the express thread
  WorkQueue queue_;
  std::vector<std::shared_ptr<Account>> accounts_;
  EngineCounters counters_;
  std::function<void()> on_closed_;  // of the last client
  size_t busy_ = 0;                  // threads that have a task, the express thread included
  size_t busy_bulk_ = 0;             // workers that have a task of a bulk call
  size_t live_threads_ = 0;
  bool ready_ = false;
  bool closing_ = false;
  bool ended_ = true;  // no thread of it lives, and no engine

  std::vector<std::thread> threads_;
};

}  // namespace gteway
