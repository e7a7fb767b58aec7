// The functions of libgteway_cuda, as abi.h describes them. Nothing may throw through here.
#include <cstring>
#include <new>
#include <string_view>

#include "engine/cuda/abi.h"
#include "engine/cuda/device/model.cuh"

#ifdef _WIN32
#define GTEWAY_CUDA_EXPORT __declspec(dllexport)
#else
#define GTEWAY_CUDA_EXPORT __attribute__((visibility("default")))
#endif

struct GtewayCudaModel {
  explicit GtewayCudaModel(const GtewayCudaConfig& config) : model(config) {}
  gteway::cuda::Model model;
};

namespace gteway::cuda {
namespace {

int32_t leave(GtewayCudaStatus* status, GtewayCudaCode code, std::string_view message) {
  const size_t length = std::min(message.size(), sizeof status->message - 1);
  std::memcpy(status->message, message.data(), length);
  status->message[length] = '\0';
  return code;
}

template <class Body>
int32_t guarded(GtewayCudaStatus* status, Body&& body) noexcept {
  try {
    body();
    return kGtewayCudaOk;
  } catch (const Failure& failure) {
    return leave(status, failure.code, failure.what());
  } catch (const std::bad_alloc&) {
    return leave(status, kGtewayCudaOutOfMemory, "the host has no memory left");
  } catch (const std::exception& error) {
    return leave(status, kGtewayCudaInternal, error.what());
  } catch (...) {
    return leave(status, kGtewayCudaInternal, "an exception of an unknown type");
  }
}

int32_t device_count(int32_t* count, GtewayCudaStatus* status) {
  return guarded(status, [&] {
    int devices = 0;
    check(cudaGetDeviceCount(&devices), "looking for CUDA devices", kGtewayCudaDeviceUnavailable);
    *count = devices;
  });
}

int32_t describe_device(int32_t device, GtewayCudaDevice* out, GtewayCudaStatus* status) {
  return guarded(status, [&] {
    const auto code = kGtewayCudaDeviceUnavailable;
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, device), "asking for a device's properties", code);
    *out = {};
    std::memcpy(out->name, properties.name, std::min(sizeof out->name, sizeof properties.name) - 1);
    out->compute_major = properties.major;
    out->compute_minor = properties.minor;
    out->processors = properties.multiProcessorCount;
    check(cudaDriverGetVersion(&out->driver), "asking for the driver's version", code);
    check(cudaRuntimeGetVersion(&out->runtime), "asking for the runtime's version", code);
    check(cudaSetDevice(device), "using a device", code);
    size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for a device's memory", code);
    out->memory = total;
    out->free_memory = free;
  });
}

int32_t create(const GtewayCudaConfig* config, GtewayCudaModel** model, GtewayCudaStatus* status) {
  return guarded(status, [&] { *model = new GtewayCudaModel(*config); });
}

int32_t set(GtewayCudaModel* model, int32_t tensor, uint32_t layer, uint64_t first, uint64_t count,
            const float* values, GtewayCudaStatus* status) {
  return guarded(status, [&] { model->model.set(tensor, layer, first, count, values); });
}

int32_t finish(GtewayCudaModel* model, uint32_t* max_batch_tokens, GtewayCudaStatus* status) {
  return guarded(status, [&] { *max_batch_tokens = model->model.finish(); });
}

int32_t embed(GtewayCudaModel* model, const GtewayCudaBatch* batch, GtewayCudaStatus* status) {
  return guarded(status, [&] { model->model.embed(*batch); });
}

void terminate_model(GtewayCudaModel* model) { model->model.terminate(); }

void destroy(GtewayCudaModel* model) { delete model; }

constexpr GtewayCudaApi kApi = {
    GTEWAY_CUDA_ABI, sizeof(GtewayCudaApi), device_count, describe_device, create, set, finish,
    embed,           terminate_model,       destroy};

}  // namespace
}  // namespace gteway::cuda

extern "C" GTEWAY_CUDA_EXPORT const GtewayCudaApi* gteway_cuda_api(uint32_t abi) {
  return abi == GTEWAY_CUDA_ABI ? &gteway::cuda::kApi : nullptr;
}
