// What ONNX Runtime can do on this machine. Types: types/binding.d.ts.
#include <string>

#include "addon/arguments.hpp"
#include "addon/boundary.hpp"
#include "engine/ort/ort_status.hpp"

namespace gteway::addon {
namespace {

Napi::Value ort_status(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const ort::RuntimeStatus status = ort::runtime_status(text({info, 0}));
    Napi::Object result = Napi::Object::New(env);
    result.Set("version", status.version);
    Napi::Array providers = Napi::Array::New(env, status.providers.size());
    for (uint32_t i = 0; i < status.providers.size(); ++i) providers.Set(i, status.providers[i]);
    result.Set("providers", providers);
    result.Set("noCuda", status.no_cuda ? Napi::Value(Napi::String::New(env, *status.no_cuda)) : env.Null());
    return result;
  });
}

}  // namespace

void register_ort(Napi::Env env, Napi::Object exports) {
  exports.Set("ortStatus", Napi::Function::New(env, ort_status, "ortStatus"));
}

}  // namespace gteway::addon
