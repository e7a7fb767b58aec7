// A session's access to a scheduler that other sessions may share. Fairness, engine and threads are common;
// queue bounds, counters, cache and tokenizer are the client's own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "scheduler/scheduler.hpp"

namespace gteway {

// Thread-safe, except for the destructor.
class Client {
 public:
  // Null where the scheduler is closing. `loaded` is called once, from any thread, maybe before this returns;
  // with kClosed where the client is closed first, whoever else waits for the engine.
  static std::unique_ptr<Client> connect(std::shared_ptr<Scheduler> scheduler, ClientOptions options,
                                         std::shared_ptr<const Tokenizer> tokenizer, OnLoaded loaded);
  // close(), and where this was the scheduler's last client, waits for its threads.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Takes a call over; `submission.done` is called when it ended. Throws Error{kOverloaded} or Error{kClosed}
  // instead, and then never calls `done`.
  void submit(Submission submission) { scheduler_->submit(account_, std::move(submission)); }

  // Ends a call with kAborted, at once; what is queued of it is dropped, what runs goes nowhere. No effect on
  // a call that ended.
  void cancel(uint64_t call) noexcept { scheduler_->cancel(*account_, call); }

  Stats stats() const noexcept { return scheduler_->stats(*account_); }

  // Ends all calls and the waiting for the engine with kClosed. `closed` is called when the scheduler lets go
  // of the client; if it was the last one, when the threads have ended and the engine is released. Call it
  // once.
  void close(std::function<void()> closed) noexcept;

 private:
  Client(std::shared_ptr<Scheduler> scheduler, std::shared_ptr<Account> account)
      : scheduler_(std::move(scheduler)), account_(std::move(account)) {}

  const std::shared_ptr<Scheduler> scheduler_;
  const std::shared_ptr<Account> account_;
  std::atomic<bool> closed_ = true;  // until it is attached
};

}  // namespace gteway
