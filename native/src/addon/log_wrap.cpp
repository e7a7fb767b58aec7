// Carries log messages, which come from any thread of the process, to the listener of each JavaScript
// environment.
#include <algorithm>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "addon/boundary.hpp"
#include "addon/environment.hpp"
#include "base/log.hpp"

namespace gteway::addon {
namespace {

struct Listener {
  const Environment* environment;
  std::shared_ptr<Mailbox> mailbox;
  std::shared_ptr<Napi::FunctionReference> function;  // touched on its JS thread only
};

class LogLetter final : public Letter {
 public:
  LogLetter(LogLevel level, std::string_view source, std::string_view message,
            std::weak_ptr<Napi::FunctionReference> listener)
      : level_(level), source_(source), message_(message), listener_(std::move(listener)) {}

  void open(Napi::Env env) override {
    if (const auto function = listener_.lock())
      function->Call({Napi::Number::New(env, static_cast<double>(level_)), Napi::String::New(env, source_),
                      Napi::String::New(env, message_)});
  }

 private:
  const LogLevel level_;
  const std::string source_, message_;
  // Weak: the last owner must let go of the function on its JS thread, which remove_listener() does.
  const std::weak_ptr<Napi::FunctionReference> listener_;
};

// Process-wide because the log is: ONNX Runtime has one logger for all environments.
struct Listeners {
  std::mutex mutex;
  std::vector<Listener> all;  // guarded
};
Listeners& listeners() {
  static Listeners& the_only_ones =
      *new Listeners;  // never destroyed: threads may log while the process exits
  return the_only_ones;
}

void forward(LogLevel level, std::string_view source, std::string_view message) noexcept {
  Listeners& known = listeners();
  const std::lock_guard lock(known.mutex);
  try {
    for (const Listener& listener : known.all)
      listener.mailbox->post(std::make_shared<LogLetter>(level, source, message, listener.function));
  } catch (const std::bad_alloc&) {
    // Where there is no memory for a message, there is none about it either.
  }
}

void remove_listener(const Environment* environment) noexcept {
  Listeners& known = listeners();
  const std::lock_guard lock(known.mutex);
  std::erase_if(known.all, [environment](const Listener& one) { return one.environment == environment; });
  if (known.all.empty()) set_log_hook(nullptr);
}

Napi::Value on_log(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    Environment& environment = Environment::of(env);
    remove_listener(&environment);
    if (info[0].IsFunction()) {
      auto function =
          std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[0].As<Napi::Function>()));
      const std::lock_guard lock(listeners().mutex);
      listeners().all.push_back({&environment, environment.mailbox, std::move(function)});
      set_log_hook(&forward);
    }
    return env.Undefined();
  });
}

}  // namespace

void register_log(Napi::Env env, Napi::Object exports) {
  exports.Set("onLog", Napi::Function::New(env, on_log, "onLog"));
  env.AddCleanupHook([environment = &Environment::of(env)] { remove_listener(environment); });
}

}  // namespace gteway::addon
