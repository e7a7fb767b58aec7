// Errors within the library: thrown, and turned into codes at the ABI.
#pragma once

#include <stdexcept>
#include <string>

#include "engine/cuda/abi.h"
#include "engine/cuda/device/platform.cuh"

namespace gteway::cuda {

struct Failure : std::runtime_error {
  Failure(GtewayCudaCode code_, const std::string& message) : std::runtime_error(message), code(code_) {}
  GtewayCudaCode code;
};

inline std::string cuda_words(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ")";
}

// `code` is what an error means here, other than having no memory.
inline void check(cudaError_t error, const std::string& what, GtewayCudaCode code) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // an error that does not last must not be found again by the next check
  throw Failure(error == cudaErrorMemoryAllocation ? kGtewayCudaOutOfMemory : code,
                what + ": " + cuda_words(error));
}

}  // namespace gteway::cuda
