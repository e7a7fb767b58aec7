#include "engine/cuda/cuda_library.hpp"

#include "base/shared_library.hpp"

namespace gteway::cuda {
namespace {

ErrorCode error_code(int32_t code) {
  switch (code) {
    case kGtewayCudaInvalid:
      return ErrorCode::kInvalidArgument;
    case kGtewayCudaUnsupported:
      return ErrorCode::kModelUnsupported;
    case kGtewayCudaDeviceUnavailable:
      return ErrorCode::kDeviceUnavailable;
    case kGtewayCudaDeviceLost:
      return ErrorCode::kInferenceFailed;
    case kGtewayCudaOutOfMemory:
      return ErrorCode::kOutOfMemory;
    case kGtewayCudaAborted:
      return ErrorCode::kAborted;
    default:
      return ErrorCode::kInternal;
  }
}

// CUDA's version numbers are 1000 × major + 10 × minor.
std::string version(int32_t number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

}  // namespace

const GtewayCudaApi& open_cuda_library(const std::string& absolute_path) {
  std::string reason;
  void* library = open_shared_library(absolute_path, reason);
  if (library == nullptr)
    throw Error(ErrorCode::kRuntimeUnavailable, "the CUDA library cannot be opened: " + reason);
  const auto entry = reinterpret_cast<GtewayCudaEntry>(shared_library_symbol(library, GTEWAY_CUDA_ENTRY));
  const GtewayCudaApi* api = entry != nullptr ? entry(GTEWAY_CUDA_ABI) : nullptr;
  if (api == nullptr || api->abi != GTEWAY_CUDA_ABI || api->bytes < sizeof(GtewayCudaApi))
    throw Error(ErrorCode::kRuntimeUnavailable,
                absolute_path + " is of another version of gteway: run " + "\"npm run build:cuda\" again");
  return *api;
}

void check(int32_t code, const GtewayCudaStatus& status) {
  if (code != kGtewayCudaOk) throw Error(error_code(code), status.message);
}

std::vector<CudaDevice> list_devices(const GtewayCudaApi& api) {
  GtewayCudaStatus status = {};
  int32_t count = 0;
  check(api.device_count(&count, &status), status);
  std::vector<CudaDevice> devices;
  for (int32_t i = 0; i < count; ++i) {
    GtewayCudaDevice device = {};
    check(api.describe_device(i, &device, &status), status);
    devices.push_back({device.name,
                       std::to_string(device.compute_major) + "." + std::to_string(device.compute_minor),
                       version(device.driver), version(device.runtime), device.memory, device.free_memory});
  }
  return devices;
}

}  // namespace gteway::cuda
