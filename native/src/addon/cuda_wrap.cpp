// What libgteway_cuda finds on this machine. Types: types/binding.d.ts.
#include <string>

#include "addon/arguments.hpp"
#include "addon/boundary.hpp"
#include "engine/cuda/cuda_library.hpp"

namespace gteway::addon {
namespace {

Napi::Value cuda_devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const auto devices = cuda::list_devices(cuda::open_cuda_library(text({info, 0})));
    Napi::Array result = Napi::Array::New(env, devices.size());
    for (uint32_t i = 0; i < devices.size(); ++i) {
      Napi::Object device = Napi::Object::New(env);
      device.Set("name", devices[i].name);
      device.Set("computeCapability", devices[i].compute_capability);
      device.Set("driver", devices[i].driver);
      device.Set("runtime", devices[i].runtime);
      device.Set("memory", static_cast<double>(devices[i].memory));
      device.Set("freeMemory", static_cast<double>(devices[i].free_memory));
      result.Set(i, device);
    }
    return result;
  });
}

}  // namespace

void register_cuda(Napi::Env env, Napi::Object exports) {
  exports.Set("cudaDevices", Napi::Function::New(env, cuda_devices, "cudaDevices"));
}

}  // namespace gteway::addon
