// Carries log messages, which come from any thread of the process, to the listener of each JavaScript
// environment.
#include <algorithm>
#include <mutex>
#include <string>
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

// Process-wide because the log is: ONNX Runtime has one logger for all environments.
std::mutex listeners_mutex;
std::vector<Listener>& listeners() {
  static auto* all = new std::vector<Listener>();  // never destroyed: threads may log while the process exits
  return *all;
}

void forward(LogLevel level, std::string_view source, std::string_view message) noexcept {
  const std::lock_guard lock(listeners_mutex);
  for (const Listener& listener : listeners()) {
    // A weak pointer: the last owner must let go of the function on its JS thread, which remove_listener()
    // does.
    listener.mailbox->post([level, from = std::string(source), words = std::string(message),
                            weak = std::weak_ptr(listener.function)](Napi::Env env) {
      if (const auto function = weak.lock())
        function->Call({Napi::Number::New(env, static_cast<double>(level)), Napi::String::New(env, from),
                        Napi::String::New(env, words)});
    });
  }
}

void remove_listener(const Environment* environment) {
  const std::lock_guard lock(listeners_mutex);
  std::erase_if(listeners(), [environment](const Listener& one) { return one.environment == environment; });
  if (listeners().empty()) set_log_hook(nullptr);
}

Napi::Value on_log(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    Environment& environment = Environment::of(env);
    remove_listener(&environment);
    if (info[0].IsFunction()) {
      auto function =
          std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[0].As<Napi::Function>()));
      const std::lock_guard lock(listeners_mutex);
      listeners().push_back({&environment, environment.mailbox, std::move(function)});
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
