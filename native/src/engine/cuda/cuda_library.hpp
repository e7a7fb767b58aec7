// libgteway_cuda, opened at run time: it needs a driver, and most machines have none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "engine/cuda/abi.h"

namespace gteway::cuda {

// The library's functions. It stays open for the life of the process. Throws Error{kRuntimeUnavailable}: it
// cannot be opened (with the loader's words), or is of another version than this addon.
const GtewayCudaApi& open_cuda_library(const std::string& absolute_path);

// Throws Error with the library's message and the code that its code means; nothing where it is
// kGtewayCudaOk.
void check(int32_t code, const GtewayCudaStatus& status);

struct CudaDevice {
  std::string name;
  std::string compute_capability;  // "9.0"
  std::string driver;              // the CUDA version it serves: "13.0"
  std::string runtime;             // the library's own
  uint64_t memory = 0;             // bytes
  uint64_t free_memory = 0;
};

// In the order of their numbers. Throws Error{kDeviceUnavailable}: no driver, or no device.
std::vector<CudaDevice> list_devices(const GtewayCudaApi& api);

}  // namespace gteway::cuda
