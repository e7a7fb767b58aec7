// NativeSession: a client of a scheduler, which sessions of the same model share, as a JavaScript object.
// Types: types/binding.d.ts.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "addon/arguments.hpp"
#include "addon/boundary.hpp"
#include "addon/environment.hpp"
#include "addon/texts.hpp"
#include "addon/tokenizer_wrap.hpp"
#include "kernels/kernels.hpp"
#include "scheduler/registry.hpp"

namespace gteway::addon {
namespace {

Napi::String string(Napi::Env env, std::string_view value) {
  return Napi::String::New(env, value.data(), value.size());
}

template <class Array, class Values>
Array copy_to_js(Napi::Env env, const char* constructor, const Values& values) {
  Array array = new_array<Array>(env, constructor, values.size());
  if (values.size() > 0) std::memcpy(array.Data(), values.data(), values.size() * sizeof(values[0]));
  return array;
}

Napi::Object embedded_to_js(Napi::Env env, const Embedded& result) {
  Napi::Object object = Napi::Object::New(env);
  auto data = new_array<Napi::Float32Array>(env, "Float32Array", result.values());
  result.copy_to(data.Data());
  object.Set("data", data);
  object.Set("tokens", copy_to_js<Napi::Uint32Array>(env, "Uint32Array", result.tokens));
  object.Set("truncated", copy_to_js<Napi::Uint8Array>(env, "Uint8Array", result.truncated));
  Napi::Array errors = Napi::Array::New(env, result.errors.size());
  for (uint32_t i = 0; i < result.errors.size(); ++i) {
    const ItemError& failed = result.errors[i];
    Napi::Object error = Napi::Object::New(env);
    error.Set("index", failed.text);
    error.Set("code", string(env, error_code_name(failed.error.code)));
    error.Set("message", failed.error.what());
    errors.Set(i, error);
  }
  object.Set("errors", errors);
  return object;
}

Napi::Object latency_to_js(Napi::Env env, const LatencyHistogram& latency) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("count", static_cast<double>(latency.count()));
  object.Set("sum", latency.sum_ms());
  object.Set("max", latency.max_ms());
  auto counts = new_array<Napi::Float64Array>(env, "Float64Array", latency.counts().size());
  std::copy(latency.counts().begin(), latency.counts().end(), counts.Data());
  object.Set("counts", counts);
  return object;
}

Napi::Object stats_to_js(Napi::Env env, const Stats& stats) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, auto value) { object.Set(name, static_cast<double>(value)); };
  const Counters& counters = stats.counters;
  set("callsInFlight", stats.calls_in_flight);
  set("textsInFlight", stats.texts_in_flight);
  set("textsRunning", stats.texts_running);
  set("bytesInFlight", stats.bytes_in_flight);
  set("callsWaiting", stats.calls_waiting);
  set("oldest", stats.oldest_ms);
  set("calls", counters.calls);
  set("texts", counters.texts);
  set("tokens", counters.tokens);
  set("rejected", counters.rejected);
  set("cancelled", counters.cancelled);
  set("failed", counters.failed);
  set("failedTexts", counters.failed_texts);
  set("coalesced", counters.coalesced);
  set("cacheHits", stats.cache.hits);
  set("cacheMisses", stats.cache.misses);
  set("cacheEntries", stats.cache.entries);
  set("cacheBytes", stats.cache.bytes);
  set("sessions", stats.sessions);
  set("workers", stats.workers);
  set("workersBusy", stats.workers_busy);
  set("batches", stats.engine.batches);
  set("batchTokens", stats.engine.tokens);
  set("batchTokensPadded", stats.engine.padded_tokens);
  Napi::Object latency = Napi::Object::New(env);
  latency.Set("queue", latency_to_js(env, counters.queue));
  latency.Set("tokenize", latency_to_js(env, counters.tokenize));
  latency.Set("infer", latency_to_js(env, counters.infer));
  latency.Set("total", latency_to_js(env, counters.total));
  object.Set("latency", latency);
  return object;
}

Napi::Value latency_bounds(const Napi::CallbackInfo& info) {
  auto bounds = new_array<Napi::Float64Array>(info.Env(), "Float64Array", LatencyHistogram::kBuckets);
  for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i)
    bounds[i] = static_cast<double>(LatencyHistogram::bound_us(i)) / 1e3;
  return bounds;
}

// All that the engine, and what it computes, depends on.
std::string identity_of(const EngineOptions& options) {
  std::string identity = weights_identity(options.model_path);
  if (!options.config_path.empty()) identity += '\n' + file_identity(options.config_path);
  for (const std::string& part :
       {options.dtype, std::to_string(static_cast<int>(options.kind)),
        std::to_string(static_cast<int>(options.device)), std::to_string(options.device_id),
        std::to_string(options.gpu_memory_limit), std::to_string(options.threads),
        std::to_string(options.max_batch_tokens), options.ort_library, options.cuda_library,
        std::to_string(static_cast<int>(options.probes.pooling)), std::to_string(options.least_cosine)})
    identity += '\n' + part;
  return identity;
}

// What an encoder's exactness is measured on. Short texts lose most: nothing averages their tokens' errors.
std::vector<std::vector<int32_t>> probe_ids(const Tokenizer& tokenizer) {
  constexpr std::string_view kTexts[] = {
      "dog",
      "What is the capital of France?",
      "Überraschung! 漢字 и кириллица",
      "for (let i = 0; i < rows.length; i++) total += rows[i].price * 1.19;",
      "Order 2024-11-28 no. 4711: EUR 1,299.00, 3 pcs.",
      "A considerably longer sentence about the weather in spring, the rain that the farmers had waited for "
      "since the first days of March, and what came after it: floods in two valleys, and a late harvest.",
  };
  constexpr size_t kMostTokens = 64;
  std::vector<std::vector<int32_t>> ids(std::size(kTexts));
  for (size_t i = 0; i < ids.size(); ++i) tokenizer.encode(kTexts[i], kMostTokens, true, ids[i]);
  return ids;
}

Napi::Object loaded_to_js(Napi::Env env, const Loaded& loaded) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("engine", loaded.engine.engine);
  object.Set("device", loaded.engine.device);
  object.Set("dtype", loaded.engine.dtype);
  object.Set("isa", loaded.engine.isa.empty() ? std::string(kernels::active_isa()) : loaded.engine.isa);
  object.Set("dimensions", static_cast<double>(loaded.engine.dimensions));
  object.Set("labels", static_cast<double>(loaded.engine.labels));
  object.Set("maxBatchTokens", static_cast<double>(loaded.cost.max_batch_tokens));
  object.Set("cosine", loaded.engine.cosine ? Napi::Value::From(env, *loaded.engine.cosine) : env.Null());
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

EngineOptions engine_options_from_js(const Napi::Object& from) {
  EngineOptions engine;
  engine.model_path = text({from, "weightsPath"});
  engine.config_path = text({from, "configPath"});
  engine.kind = choice<EngineKind>(
      {from, "engine"},
      {{"ort", EngineKind::kOrt}, {"encoder", EngineKind::kEncoder}, {"static", EngineKind::kStatic}});
  engine.dtype = text({from, "dtype"});
  engine.device = choice<Device>({from, "device"},
                                 {{"auto", Device::kAuto}, {"cpu", Device::kCpu}, {"cuda", Device::kCuda}});
  engine.device_id = static_cast<int>(number({from, "deviceId"}));
  engine.gpu_memory_limit = static_cast<uint64_t>(number({from, "gpuMemoryLimit"}));
  engine.threads = static_cast<size_t>(number({from, "threads"}));
  engine.max_batch_tokens = static_cast<size_t>(number({from, "maxBatchTokens"}));
  engine.probes.pooling =
      choice<Pooling>({from, "pooling"}, {{"mean", Pooling::kMean}, {"cls", Pooling::kCls}});
  engine.least_cosine = number({from, "leastCosine"});
  (engine.kind == EngineKind::kOrt ? engine.ort_library : engine.cuda_library) = text({from, "library"});
  if (engine.threads == 0)
    throw Error(ErrorCode::kInvalidArgument, Literal("a session needs at least one thread"));
  return engine;
}

ClientOptions client_options_from_js(const Napi::Object& from) {
  return {.max_queue = static_cast<size_t>(number({from, "maxQueue"})),
          .max_queue_bytes = static_cast<size_t>(number({from, "maxQueueBytes"})),
          .cache_bytes = static_cast<size_t>(number({from, "cacheBytes"}))};
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

// What is pending at a session. While it is, the session must not be collected and the event loop must not
// end.
class SessionWrap;
class SessionLetter : public Letter {
 public:
  explicit SessionLetter(SessionWrap& session) : session_(session) {}
  void open(Napi::Env env) final;

 protected:
  SessionWrap& session() const noexcept { return session_; }

 private:
  virtual void settle(Napi::Env env) = 0;

  SessionWrap& session_;
};

class EmbeddedLetter final : public SessionLetter {
 public:
  EmbeddedLetter(SessionWrap& session, Napi::Env env) : SessionLetter(session), deferred_(env) {}
  Napi::Value promise() const { return deferred_.Promise(); }

  // Either of them, before it is posted.
  std::optional<Embedded> result;
  std::optional<Error> error;

 private:
  void settle(Napi::Env env) override {
    try {
      if (error)
        deferred_.Reject(to_js(env, *error).Value());
      else
        deferred_.Resolve(embedded_to_js(env, *result));
    } catch (const Napi::Error&) {
      throw;
    } catch (...) {
      deferred_.Reject(to_js(env, current_error()).Value());
    }
  }

  const Napi::Promise::Deferred deferred_;
};

class LoadedLetter final : public SessionLetter {
 public:
  using SessionLetter::SessionLetter;

  void write(const Loaded& outcome) noexcept {
    try {
      loaded_ = outcome;
    } catch (...) {
      loaded_.error = current_error();
    }
  }

 private:
  void settle(Napi::Env env) override;

  Loaded loaded_;
};

class ClosedLetter final : public SessionLetter {
 public:
  using SessionLetter::SessionLetter;

 private:
  void settle(Napi::Env env) override;
};

class SessionWrap final : public Napi::ObjectWrap<SessionWrap>, public Closable {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeSession",
                       {
                           InstanceMethod<&SessionWrap::ready>("ready"),
                           InstanceMethod<&SessionWrap::embed>("embed"),
                           InstanceMethod<&SessionWrap::score>("score"),
                           InstanceMethod<&SessionWrap::cancel>("cancel"),
                           InstanceMethod<&SessionWrap::stats>("stats"),
                           InstanceMethod<&SessionWrap::close>("close"),
                       });
  }

  explicit SessionWrap(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<SessionWrap>(info), environment_(Environment::of(info.Env())), loading_(info.Env()) {
    guard(info.Env(), [&] { start(info); });
  }

  ~SessionWrap() override {
    if (client_) shut_down();  // otherwise maybe after teardown, when the environment is gone
  }

  void stop() noexcept override {
    if (client_ && !closing_) client_->close({});
  }

  void shut_down() noexcept override {
    environment_.open.erase(this);
    if (client_) last_stats_ = client_->stats();
    client_.reset();
  }

  // ---- for the letters
  void loaded(Napi::Env env, const Loaded& outcome) const {
    if (outcome.error)
      loading_.reject(to_js(env, *outcome.error).Value());
    else
      loading_.resolve(loaded_to_js(env, outcome));
  }
  void closed(Napi::Env env) {
    shut_down();  // where it joins threads, they have ended, and it takes no time
    closing_->resolve(env.Undefined());
  }
  void begin_waiting() {
    Ref();
    environment_.mailbox->await_one(Env());
  }
  void end_waiting(Napi::Env env) {
    environment_.mailbox->awaited_one(env);
    Unref();
  }

 private:
  Napi::Value submit(Napi::Env env, Submission submission) {
    const auto letter = std::make_shared<EmbeddedLetter>(*this, env);
    submission.done = [letter, mailbox = environment_.mailbox](std::optional<Embedded> result,
                                                               std::optional<Error> error) {
      letter->result = std::move(result);
      letter->error = std::move(error);
      mailbox->post(letter);
    };
    client_->submit(std::move(submission));
    begin_waiting();  // the letter is opened by this thread, so not before
    return letter->promise();
  }

  void start(const Napi::CallbackInfo& info) {
    if (!info[0].IsObject())
      throw Error(ErrorCode::kInvalidArgument, Literal("argument 0 must be an object"));
    const auto options = info[0].As<Napi::Object>();
    const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_from_js(options.Get("tokenizer"));
    const EngineOptions engine = engine_options_from_js(options);
    closed_letter_ = std::make_shared<ClosedLetter>(*this);
    environment_.open.insert(this);
    try {
      client_ = connect(
          identity_of(engine), engine.threads,
          [engine, tokenizer](std::vector<Fallback>& fallbacks, const std::shared_ptr<const StopFlag>& stop) {
            EngineOptions stoppable = engine;
            stoppable.stop = stop;
            stoppable.probes.ids = probe_ids(*tokenizer);
            return make_engine(stoppable, fallbacks);
          },
          client_options_from_js(options), tokenizer,
          [letter = std::make_shared<LoadedLetter>(*this),
           mailbox = environment_.mailbox](const Loaded& outcome) {
            letter->write(outcome);
            mailbox->post(letter);
          });
    } catch (...) {
      environment_.open.erase(this);
      throw;
    }
    begin_waiting();
  }

  Napi::Value ready(const Napi::CallbackInfo&) { return loading_.value(); }

  // (call, texts, pooling, normalize, truncate, maxTokens, dimensions, wait, itemErrors)
  // → Promise<{data, tokens, truncated, errors}>
  Napi::Value embed(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guard(env, [&]() -> Napi::Value {
      if (!client_ || closing_) throw Error(ErrorCode::kClosed, "the session is closed");
      Submission submission;
      submission.number = static_cast<uint64_t>(number({info, 0}));
      submission.texts = copy_texts(env, info[1]);
      submission.options.pooling = choice<Pooling>(
          {info, 2}, {{"mean", Pooling::kMean}, {"cls", Pooling::kCls}, {"none", Pooling::kNone}});
      submission.options.normalize = info[3].ToBoolean();
      submission.options.truncate = info[4].ToBoolean();
      submission.options.max_tokens = static_cast<size_t>(number({info, 5}));
      submission.options.dimensions = static_cast<size_t>(number({info, 6}));
      submission.options.wait = info[7].ToBoolean();
      submission.options.item_errors = info[8].ToBoolean();
      return submit(env, std::move(submission));
    });
  }

  // (call, queries, queryOf, texts, truncate, maxTokens, labels, wait, itemErrors)
  // → Promise<{data, tokens, truncated, errors}>
  Napi::Value score(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guard(env, [&]() -> Napi::Value {
      if (!client_ || closing_) throw Error(ErrorCode::kClosed, "the session is closed");
      Submission submission;
      submission.number = static_cast<uint64_t>(number({info, 0}));
      submission.texts = copy_texts(env, info[3]);
      submission.queries = copy_queries(env, info[1], info[2], submission.texts.size());
      submission.options.pooling = Pooling::kScore;
      submission.options.normalize = false;
      submission.options.truncate = info[4].ToBoolean();
      submission.options.max_tokens = static_cast<size_t>(number({info, 5}));
      submission.options.dimensions = static_cast<size_t>(number({info, 6}));
      submission.options.wait = info[7].ToBoolean();
      submission.options.item_errors = info[8].ToBoolean();
      return submit(env, std::move(submission));
    });
  }

  Napi::Value cancel(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      if (client_) client_->cancel(static_cast<uint64_t>(number({info, 0})));
      return info.Env().Undefined();
    });
  }

  Napi::Value stats(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      return stats_to_js(info.Env(), client_ ? client_->stats() : last_stats_);
    });
  }

  // Resolves when the threads have ended and the model's memory is free.
  Napi::Value close(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guard(env, [&]() -> Napi::Value {
      if (closing_) return closing_->value();
      closing_.emplace(env);
      if (client_) {
        begin_waiting();
        client_->close([this] { environment_.mailbox->post(closed_letter_); });
      } else {
        closing_->resolve(env.Undefined());  // the environment ends, and ended this before
      }
      return closing_->value();
    });
  }

  Environment& environment_;
  LastingPromise loading_;
  std::optional<LastingPromise> closing_;
  std::shared_ptr<ClosedLetter> closed_letter_;
  Stats last_stats_;                // once closed
  std::unique_ptr<Client> client_;  // null once closed; last, so that its threads end before the rest is gone
};

void SessionLetter::open(Napi::Env env) {
  try {
    settle(env);
  } catch (...) {
    session_.end_waiting(env);
    throw;
  }
  session_.end_waiting(env);
}

void LoadedLetter::settle(Napi::Env env) { session().loaded(env, loaded_); }

void ClosedLetter::settle(Napi::Env env) { session().closed(env); }

}  // namespace

void register_session(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeSession", SessionWrap::define(env));
  exports.Set("latencyBounds", Napi::Function::New(env, latency_bounds, "latencyBounds"));
}

}  // namespace gteway::addon
