// What the addon keeps per JavaScript environment: the main thread has one, every worker_threads worker its
// own.
//
// Native threads never touch JavaScript. They post closures to the environment's mailbox; one thread-safe
// function wakes the JS thread, which runs all that has arrived. Nothing is posted after teardown, and
// teardown waits for our threads.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

namespace gteway::addon {

class Mailbox {
 public:
  using Letter = std::function<void(Napi::Env)>;

  static std::shared_ptr<Mailbox> open(Napi::Env env);

  // Any thread. Letters posted after close() are dropped.
  void post(Letter letter);

  // JS thread. While something is awaited the mailbox keeps the event loop alive.
  void await_one(Napi::Env env);
  void awaited_one(Napi::Env env);

  // JS thread, once, at teardown.
  void close();

 private:
  void deliver(Napi::Env env);

  std::mutex mutex_;
  std::vector<Letter> letters_;
  napi_threadsafe_function wake_ = nullptr;  // null once closed
  size_t awaited_ = 0;                       // JS thread only
};

// Something with threads that must have ended before the environment is gone.
class Closable {
 public:
  virtual ~Closable() = default;
  virtual void shut_down() noexcept = 0;  // ends and joins the threads
};

struct Environment {
  std::shared_ptr<Mailbox> mailbox;
  std::unordered_set<Closable*> open;  // JS thread only

  static void create(Napi::Env env);
  static Environment& of(Napi::Env env);
};

}  // namespace gteway::addon
