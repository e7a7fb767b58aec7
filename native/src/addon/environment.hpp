// What the addon keeps per JavaScript environment: the main thread has one, every worker_threads worker its
// own.
//
// Native threads never touch JavaScript. They post letters to the environment's mailbox; one thread-safe
// function wakes the JS thread, which opens all that have arrived. Nothing is posted after teardown, and
// teardown waits for our threads: where JavaScript can still run, on the process's 'exit' event, otherwise
// (worker.terminate(), the end of the event loop) in a cleanup hook. process.exit() calls no cleanup hooks,
// and the libraries' static objects die under threads that still run.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <unordered_set>

namespace gteway::addon {

// Made where memory may run out, posted where it must not matter. Posted once.
class Letter {
 public:
  virtual ~Letter() = default;
  // On the JS thread. What it throws is dropped: nobody is there to catch it.
  virtual void open(Napi::Env env) = 0;

 private:
  friend class Mailbox;
  std::shared_ptr<Letter> next_;
};

class Mailbox {
 public:
  static std::shared_ptr<Mailbox> open(Napi::Env env);
  Mailbox() = default;
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread; allocates nothing. Letters posted after close() are dropped.
  void post(std::shared_ptr<Letter> letter) noexcept;

  // JS thread. While something is awaited the mailbox keeps the event loop alive.
  void await_one(Napi::Env env) noexcept;
  void awaited_one(Napi::Env env) noexcept;

  // JS thread, once, at teardown.
  void close() noexcept;

 private:
  void deliver(Napi::Env env) noexcept;
  std::shared_ptr<Letter> take_all() noexcept;

  std::mutex mutex_;
  std::shared_ptr<Letter> first_;  // guarded, as last_
  Letter* last_ = nullptr;
  napi_threadsafe_function wake_ = nullptr;  // null once closed
  size_t awaited_ = 0;                       // JS thread only
};

// Something with threads that must have ended before the environment is gone.
class Closable {
 public:
  virtual ~Closable() = default;
  virtual void stop() noexcept = 0;       // tells the threads to end
  virtual void shut_down() noexcept = 0;  // waits until they have, and leaves Environment::open
};

struct Environment {
  std::shared_ptr<Mailbox> mailbox;
  std::unordered_set<Closable*> open;  // JS thread only

  static void create(Napi::Env env);
  static Environment& of(Napi::Env env);

  // Ends what is open, all of it at the same time.
  void end() noexcept;
};

}  // namespace gteway::addon
