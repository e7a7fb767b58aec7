#include "addon/environment.hpp"

#include <utility>

#include "engine/ort/ort_session.hpp"

namespace gteway::addon {

std::shared_ptr<Mailbox> Mailbox::open(Napi::Env env) {
  auto mailbox = std::make_shared<Mailbox>();
  const Napi::String name = Napi::String::New(env, "gteway");
  auto* context = new std::weak_ptr<Mailbox>(mailbox);
  const auto deliver_letters = [](napi_env raw_env, napi_value, void* raw_context, void*) noexcept {
    if (raw_env == nullptr) return;  // teardown
    const auto target = static_cast<std::weak_ptr<Mailbox>*>(raw_context)->lock();
    if (target) target->deliver(raw_env);
  };
  const auto forget = [](napi_env, void* raw_context, void*) {
    delete static_cast<std::weak_ptr<Mailbox>*>(raw_context);
  };
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 0, 1, context, forget, context, deliver_letters, &mailbox->wake_);
  if (status != napi_ok) {
    delete context;
    throw Napi::Error::New(env, "gteway: could not create a thread-safe function");
  }
  napi_unref_threadsafe_function(env, mailbox->wake_);
  return mailbox;
}

Mailbox::~Mailbox() {
  for (std::shared_ptr<Letter> letter = take_all(); letter;) letter = std::move(letter->next_);
}

void Mailbox::post(std::shared_ptr<Letter> letter) noexcept {
  const std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return;
  Letter* const added = letter.get();
  const bool is_first = last_ == nullptr;
  (is_first ? first_ : last_->next_) = std::move(letter);
  last_ = added;
  // One wake-up per batch of letters: the first one posted since the last delivery asks for it.
  if (is_first) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

std::shared_ptr<Letter> Mailbox::take_all() noexcept {
  const std::lock_guard lock(mutex_);
  last_ = nullptr;
  return std::move(first_);
}

void Mailbox::deliver(Napi::Env env) noexcept {
  for (std::shared_ptr<Letter> letter = take_all(); letter; letter = std::move(letter->next_)) {
    try {
      const Napi::HandleScope scope(env);
      letter->open(env);
    } catch (...) {
      // worker.terminate(): the event loop still turns, but no JavaScript value can be made any more, and
      // nobody waits for one. The cleanup hook follows.
    }
  }
}

void Mailbox::await_one(Napi::Env env) noexcept {
  if (awaited_++ == 0 && wake_ != nullptr) napi_ref_threadsafe_function(env, wake_);
}

void Mailbox::awaited_one(Napi::Env env) noexcept {
  if (--awaited_ == 0 && wake_ != nullptr) napi_unref_threadsafe_function(env, wake_);
}

void Mailbox::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (wake_ != nullptr) napi_release_threadsafe_function(wake_, napi_tsfn_abort);
    wake_ = nullptr;
  }
  for (std::shared_ptr<Letter> letter = take_all(); letter;) letter = std::move(letter->next_);
}

namespace {

// Behind the listeners that a program has added before it loaded this addon, and before later ones, for whom
// sessions are closed then.
void end_on_exit(Napi::Env env, Environment* environment) {
  const Napi::Value process = env.Global().Get("process");
  if (!process.IsObject()) return;
  const Napi::Value on = process.As<Napi::Object>().Get("on");
  if (!on.IsFunction()) return;
  const auto end = [environment](const Napi::CallbackInfo&) {
    environment->end();
    ort::wait_for_openings();
  };
  on.As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), Napi::Function::New(env, end)});
}

}  // namespace

void Environment::create(Napi::Env env) {
  auto* environment = new Environment{Mailbox::open(env), {}};
  env.SetInstanceData(environment);
  // A cleanup hook and not the instance data's destructor: it runs while JavaScript objects, our wraps among
  // them, are still there, before the finalizers that would otherwise race with the threads it ends.
  env.AddCleanupHook(
      [](Environment* leaving) {
        leaving->end();
        leaving->mailbox->close();
      },
      environment);
  end_on_exit(env, environment);
}

void Environment::end() noexcept {
  for (Closable* closable : open) closable->stop();
  while (!open.empty()) (*open.begin())->shut_down();
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

}  // namespace gteway::addon
