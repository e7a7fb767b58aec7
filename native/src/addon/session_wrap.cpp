// NativeSession: the scheduler, its engine and its tokenizer, as one JavaScript object. Types:
// types/binding.d.ts.
#include <cstring>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "addon/boundary.hpp"
#include "addon/environment.hpp"
#include "addon/texts.hpp"
#include "addon/tokenizer_wrap.hpp"
#include "kernels/kernels.hpp"
#include "scheduler/scheduler.hpp"

namespace gteway::addon {
namespace {

template <class Array, class T>
Array copy_to_js(Napi::Env env, const char* constructor, const std::vector<T>& values) {
  Array array = new_array<Array>(env, constructor, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

Napi::Object embedded_to_js(Napi::Env env, const Embedded& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("data", copy_to_js<Napi::Float32Array>(env, "Float32Array", result.data));
  object.Set("tokens", copy_to_js<Napi::Uint32Array>(env, "Uint32Array", result.tokens));
  object.Set("truncated", copy_to_js<Napi::Uint8Array>(env, "Uint8Array", result.truncated));
  return object;
}

Napi::Object loaded_to_js(Napi::Env env, const Loaded& loaded) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("engine", loaded.engine.engine);
  object.Set("device", loaded.engine.device);
  object.Set("dtype", loaded.engine.dtype);
  object.Set("isa", loaded.engine.isa.empty() ? std::string(kernels::active_isa()) : loaded.engine.isa);
  object.Set("dimensions", static_cast<double>(loaded.engine.dimensions));
  object.Set("maxBatchTokens", static_cast<double>(loaded.cost.max_batch_tokens));
  Napi::Array fallbacks = Napi::Array::New(env, loaded.fallbacks.size());
  for (uint32_t i = 0; i < loaded.fallbacks.size(); ++i) {
    Napi::Object fallback = Napi::Object::New(env);
    fallback.Set("wanted", loaded.fallbacks[i].wanted);
    fallback.Set("reason", loaded.fallbacks[i].reason);
    fallbacks.Set(i, fallback);
  }
  object.Set("fallbacks", fallbacks);
  return object;
}

double number(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsNumber())
    throw Error(ErrorCode::kInvalidArgument, "argument " + std::to_string(index) + " must be a number");
  return info[index].As<Napi::Number>().DoubleValue();
}

std::string text(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsString())
    throw Error(ErrorCode::kInvalidArgument, "argument " + std::to_string(index) + " must be a string");
  return info[index].As<Napi::String>().Utf8Value();
}

template <class Value>
Value choice(const Napi::CallbackInfo& info, size_t index,
             std::initializer_list<std::pair<std::string_view, Value>> choices) {
  const std::string given = text(info, index);
  for (const auto& [name, value] : choices)
    if (name == given) return value;
  throw Error(ErrorCode::kInvalidArgument,
              "argument " + std::to_string(index) + " cannot be '" + given + "'");
}

// A promise that is asked for more than once. (Napi::Promise::Deferred keeps its promise in a handle that
// ends with the scope it was made in.)
class LastingPromise {
 public:
  explicit LastingPromise(Napi::Env env)
      : deferred_(env), promise_(Napi::Persistent(deferred_.Promise().As<Napi::Object>())) {}
  Napi::Value value() const { return promise_.Value(); }
  void resolve(napi_value value) const { deferred_.Resolve(value); }
  void reject(napi_value value) const { deferred_.Reject(value); }

 private:
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference promise_;
};

class SessionWrap final : public Napi::ObjectWrap<SessionWrap>, public Closable {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeSession",
                       {
                           InstanceMethod<&SessionWrap::ready>("ready"),
                           InstanceMethod<&SessionWrap::embed>("embed"),
                           InstanceMethod<&SessionWrap::cancel>("cancel"),
                           InstanceMethod<&SessionWrap::close>("close"),
                       });
  }

  explicit SessionWrap(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<SessionWrap>(info), environment_(Environment::of(info.Env())), loading_(info.Env()) {
    guard(info.Env(), [&] { start(info); });
  }

  ~SessionWrap() override { shut_down(); }

  void shut_down() noexcept override {
    if (!scheduler_) return;  // maybe after teardown, when the environment is gone
    environment_.open.erase(this);
    scheduler_.reset();
  }

 private:
  void start(const Napi::CallbackInfo& info) {
    auto tokenizer = tokenizer_from_js(info[0]);
    EngineOptions engine;
    engine.model_path = text(info, 1);
    engine.dtype = text(info, 2);
    engine.device =
        choice<Device>(info, 3, {{"auto", Device::kAuto}, {"cpu", Device::kCpu}, {"cuda", Device::kCuda}});
    engine.device_id = static_cast<int>(number(info, 4));
    engine.gpu_memory_limit = static_cast<uint64_t>(number(info, 5));
    engine.threads = static_cast<size_t>(number(info, 6));
    engine.max_batch_tokens = static_cast<size_t>(number(info, 7));
    engine.ort_library = text(info, 9);
    engine.kind =
        choice<EngineKind>(info, 12, {{"ort", EngineKind::kOrt}, {"encoder", EngineKind::kEncoder}});
    engine.config_path = text(info, 13);
    const SchedulerOptions options{.threads = engine.threads,
                                   .max_queue = static_cast<size_t>(number(info, 8))};
    if (options.threads == 0) throw Error(ErrorCode::kInvalidArgument, "a session needs at least one thread");

    scheduler_ = std::make_unique<Scheduler>(
        options, std::move(tokenizer),
        [engine](std::vector<Fallback>& fallbacks) { return make_engine(engine, fallbacks); },
        [this, mailbox = environment_.mailbox](Loaded loaded) {
          mailbox->post([this, loaded = std::move(loaded)](Napi::Env env) {
            if (loaded.error)
              loading_.reject(to_js(env, *loaded.error).Value());
            else
              loading_.resolve(loaded_to_js(env, loaded));
            end_waiting(env);
          });
        });
    environment_.open.insert(this);
    begin_waiting();
  }

  Napi::Value ready(const Napi::CallbackInfo&) { return loading_.value(); }

  // (call, texts, pooling, normalize, truncate, maxTokens, dimensions) → Promise<{data, tokens, truncated}>
  Napi::Value embed(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guard(env, [&]() -> Napi::Value {
      if (!scheduler_) throw Error(ErrorCode::kClosed, "the session is closed");
      const auto call = static_cast<uint64_t>(number(info, 0));
      Submission submission;
      submission.number = call;
      submission.texts = copy_texts(env, info[1]);
      submission.options.pooling = choice<Pooling>(
          info, 2, {{"mean", Pooling::kMean}, {"cls", Pooling::kCls}, {"none", Pooling::kNone}});
      submission.options.normalize = info[3].ToBoolean();
      submission.options.truncate = info[4].ToBoolean();
      submission.options.max_tokens = static_cast<size_t>(number(info, 5));
      submission.options.dimensions = static_cast<size_t>(number(info, 6));
      submission.done = [this, call, mailbox = environment_.mailbox](std::optional<Embedded> result,
                                                                     std::optional<Error> error) {
        // Shared: a letter is copyable, a result of megabytes must not be copied.
        auto outcome = std::make_shared<std::pair<std::optional<Embedded>, std::optional<Error>>>(
            std::move(result), std::move(error));
        mailbox->post(
            [this, call, outcome](Napi::Env js) { settle(js, call, outcome->first, outcome->second); });
      };
      const Napi::Promise::Deferred deferred(env);
      pending_.emplace(call, deferred);
      begin_waiting();
      try {
        scheduler_->submit(std::move(submission));
      } catch (...) {
        pending_.erase(call);
        end_waiting(env);
        throw;
      }
      return deferred.Promise();
    });
  }

  Napi::Value cancel(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      if (scheduler_) scheduler_->cancel(static_cast<uint64_t>(number(info, 0)));
      return info.Env().Undefined();
    });
  }

  // Resolves when the threads have ended and the model's memory is free.
  Napi::Value close(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!closing_) {
      closing_.emplace(env);
      begin_waiting();
      scheduler_->close([this, mailbox = environment_.mailbox] {
        mailbox->post([this](Napi::Env js) {
          shut_down();  // the threads have ended: joining them takes no time
          closing_->resolve(js.Undefined());
          end_waiting(js);
        });
      });
    }
    return closing_->value();
  }

  void settle(Napi::Env env, uint64_t call, const std::optional<Embedded>& result,
              const std::optional<Error>& error) {
    const auto found = pending_.find(call);
    const Napi::Promise::Deferred deferred = found->second;
    pending_.erase(found);
    try {
      if (error)
        deferred.Reject(to_js(env, *error).Value());
      else
        deferred.Resolve(embedded_to_js(env, *result));
    } catch (const Napi::Error& failure) {
      deferred.Reject(failure.Value());  // no room for the typed array
    }
    end_waiting(env);
  }

  // While something is pending this object must not be collected and the event loop must not end.
  void begin_waiting() {
    Ref();
    environment_.mailbox->await_one(Env());
  }
  void end_waiting(Napi::Env env) {
    environment_.mailbox->awaited_one(env);
    Unref();
  }

  Environment& environment_;
  std::unordered_map<uint64_t, Napi::Promise::Deferred> pending_;
  LastingPromise loading_;
  std::optional<LastingPromise> closing_;
  std::unique_ptr<Scheduler>
      scheduler_;  // null once closed; last, so that its threads end before the rest is gone
};

}  // namespace

void register_session(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeSession", SessionWrap::define(env));
}

}  // namespace gteway::addon
