// Owns a session's worker threads and engine, and shares them fairly among the calls in flight.
//
// A call is cut into tasks: slices of its texts to tokenize, then batches to run. Workers take one task at a
// time from the calls in turn, so that a call of one text waits for at most one task of a call of a hundred
// thousand.
//
//   JS thread ── submit() ──▶ calls in flight ── next task ──▶ workers: tokenize, engine.embed() ──
//   Completion ──▶
//
// Thread-safety: every public member may be called from any thread, except the destructor.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/factory.hpp"
#include "scheduler/request.hpp"
#include "tokenizer/tokenizer.hpp"

namespace gteway {

struct SchedulerOptions {
  size_t threads = 1;
  size_t max_queue =
      0;  // texts that may be in flight; a call that finds nothing in flight is admitted whatever its size
};

// What loading ended with; `error` or the rest.
struct Loaded {
  std::optional<Error> error;
  EngineInfo engine;
  CostModel cost;
  std::vector<Fallback> fallbacks;
};

class Scheduler {
 public:
  using MakeEngine = std::function<std::unique_ptr<Engine>(std::vector<Fallback>&)>;

  // Returns at once; the first worker makes the engine and then calls `loaded`, once, from its thread.
  Scheduler(SchedulerOptions options, std::shared_ptr<const Tokenizer> tokenizer, MakeEngine make_engine,
            std::function<void(Loaded)> loaded);
  // close() and wait for the workers, which end as soon as the engine lets go of them.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Takes a call over; `submission.done` is called when it ended. Throws Error{kOverloaded} or Error{kClosed}
  // instead, and then never calls `done`. Calls made while the engine is loading wait for it.
  void submit(Submission submission);

  // Ends a call with kAborted: what is queued is dropped, what is running is dropped when it is done. No
  // effect on a call that ended.
  void cancel(uint64_t call);

  // Ends all calls with kClosed and lets the workers end; the last one releases the engine, then calls
  // `closed`. Idempotent: only the first call's `closed` is kept, which is why there is one owner that
  // closes.
  void close(std::function<void()> closed = {});

 private:
  struct Call;
  struct Task;
  using CallList = std::list<std::shared_ptr<Call>>;

  void work();
  void load(const MakeEngine& make_engine, const std::function<void(Loaded)>& loaded);
  bool next_task(Task& task, size_t& threads);
  void run(Task& task, size_t threads);
  void tokenize(Call& call, size_t slice);
  void infer(Call& call, const std::vector<uint32_t>& rows, size_t threads);
  void finish_task(const std::shared_ptr<Call>& call, std::optional<Error> error);
  void start_batches(Call& call);
  void end_call(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Call>& call);
  void worker_ended();

  const SchedulerOptions options_;
  const std::shared_ptr<const Tokenizer> tokenizer_;

  std::mutex mutex_;  // guards everything below; never held while tokenizing or computing
  std::condition_variable wake_;
  std::unique_ptr<Engine> engine_;  // set by the first worker, before ready_; released by the last
  CallList calls_;                  // with tasks to hand out, in turn order
  std::vector<std::shared_ptr<Call>> all_calls_;  // every call that has not ended
  size_t texts_in_flight_ = 0;
  size_t busy_workers_ = 0;
  size_t live_workers_ = 0;
  bool ready_ = false;
  bool closing_ = false;
  std::function<void()> closed_;

  std::vector<std::thread> threads_;
};

}  // namespace gteway
