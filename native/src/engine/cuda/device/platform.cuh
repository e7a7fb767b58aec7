// CUDA, or its emulation on the processor: the native tests compile every file of this folder as plain C++
// against native/tests/engine/cuda/emulation, which runs each thread of a block as a fiber.
#pragma once

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include <engine/cuda/emulation/runtime.hpp>
#endif

#include <cstdint>

// Before a loop whose bounds are constants: register arrays must not be indexed at run time.
#ifdef __CUDACC__
#define GTEWAY_UNROLL _Pragma("unroll")
#else
#define GTEWAY_UNROLL
#endif

namespace gteway::cuda {

#ifdef __CUDACC__

// The block's dynamic shared memory. 1,024 is what the 128-byte swizzle of wgmma's operands repeats after.
__device__ inline unsigned char* shared_memory() {
  extern __shared__ __align__(1024) unsigned char gteway_shared_memory[];
  return gteway_shared_memory;
}

// Starts a kernel. Arguments are converted to the kernel's parameter types.
template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), uint32_t blocks, uint32_t threads, uint32_t shared_bytes,
                   cudaStream_t stream, Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

#else

using emulation::launch;
using emulation::shared_memory;

#endif

constexpr uint32_t kWarp = 32;
constexpr uint32_t kAllLanes = 0xffffffffU;

template <class Integer>
__host__ __device__ constexpr Integer divide_up(Integer a, Integer b) {
  return (a + b - 1) / b;
}

}  // namespace gteway::cuda
