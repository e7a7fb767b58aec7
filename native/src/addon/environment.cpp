#include "addon/environment.hpp"

#include <utility>

namespace gteway::addon {

std::shared_ptr<Mailbox> Mailbox::open(Napi::Env env) {
  auto mailbox = std::make_shared<Mailbox>();
  const Napi::String name = Napi::String::New(env, "gteway");
  auto* context = new std::weak_ptr<Mailbox>(mailbox);
  const auto deliver_letters = [](napi_env raw_env, napi_value, void* raw_context, void*) {
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

void Mailbox::post(Letter letter) {
  const std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return;
  letters_.push_back(std::move(letter));
  // One wake-up per batch of letters: the first one posted since the last delivery asks for it.
  if (letters_.size() == 1) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Mailbox::deliver(Napi::Env env) {
  std::vector<Letter> arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(letters_);
  }
  for (Letter& letter : arrived) {
    const Napi::HandleScope scope(env);
    try {
      letter(env);
    } catch (const Napi::Error&) {
      // worker.terminate(): the event loop still turns, but no JavaScript value can be made any more, and
      // nobody waits for one. The cleanup hook follows.
    }
  }
}

void Mailbox::await_one(Napi::Env env) {
  if (awaited_++ == 0 && wake_ != nullptr) napi_ref_threadsafe_function(env, wake_);
}

void Mailbox::awaited_one(Napi::Env env) {
  if (--awaited_ == 0 && wake_ != nullptr) napi_unref_threadsafe_function(env, wake_);
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  letters_.clear();
  if (wake_ != nullptr) napi_release_threadsafe_function(wake_, napi_tsfn_abort);
  wake_ = nullptr;
}

void Environment::create(Napi::Env env) {
  auto* environment = new Environment{Mailbox::open(env), {}};
  env.SetInstanceData(environment);
  // A cleanup hook and not the instance data's destructor: it runs while JavaScript objects, our wraps among
  // them, are still there, before the finalizers that would otherwise race with the threads it ends.
  env.AddCleanupHook(
      [](Environment* leaving) {
        const std::unordered_set<Closable*> open = leaving->open;
        for (Closable* closable : open) closable->shut_down();
        leaving->mailbox->close();
      },
      environment);
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

}  // namespace gteway::addon
