// The part of CUDA's runtime that native/src/engine/cuda/device uses, with processor memory as the device's.
// A stream's work waits in it until somebody synchronizes: whoever reads too early, or overwrites what a copy
// has yet to read, gets wrong results here every time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

#include "engine/cuda/emulation/device.hpp"

using cudaError_t = int;
enum : cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorDevicesUnavailable = 46,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorECCUncorrectable = 214,
  cudaErrorNotReady = 600,
  cudaErrorNotSupported = 801,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
};
enum { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum {
  cudaStreamNonBlocking = 1,
  cudaEventDisableTiming = 2,
  cudaEventBlockingSync = 1,
  cudaHostAllocDefault = 0
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount, l2CacheSize;
  size_t totalGlobalMem, sharedMemPerBlockOptin;
};

namespace gteway::cuda::emulation {
struct Stream;
struct Graph;
struct Event;
}  // namespace gteway::cuda::emulation
using cudaStream_t = gteway::cuda::emulation::Stream*;
using cudaGraph_t = gteway::cuda::emulation::Graph*;
using cudaGraphExec_t = gteway::cuda::emulation::Graph*;
using cudaEvent_t = gteway::cuda::emulation::Event*;

cudaError_t cudaGetLastError();
const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void** pointer, size_t bytes);
cudaError_t cudaFree(void* pointer);
cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* pointer);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, int kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventDestroy(cudaEvent_t event);

namespace gteway::cuda::emulation {

// What the emulated machine is like, for all threads. Tests set it and put it back.
struct Machine {
  int devices = 1;
  int major = 8, minor = 0;
  size_t memory = size_t{4} << 30;  // bytes cudaMalloc gives out on each device
  size_t shared_memory = 163 << 10;
  bool graphs = true;  // streams can be captured
};
Machine& machine();
// The next kernel to run fails with `error`, and every later call on the device until recover() is called.
void break_device(cudaError_t error);
void recover();
size_t allocated_bytes();
size_t kernels_run();
size_t graphs_launched();

cudaError_t enqueue(cudaStream_t stream, std::function<void()> work, bool kernel);

template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), uint32_t blocks, uint32_t threads, uint32_t shared_bytes,
                   cudaStream_t stream, Arguments... arguments) {
  if (blocks == 0 || threads == 0 || threads > 1024 || shared_bytes > machine().shared_memory)
    return cudaErrorInvalidValue;
  return enqueue(
      stream,
      [=] {
        const std::function<void()> body = [&] { kernel(static_cast<Parameters>(arguments)...); };
        for (uint32_t block = 0; block < blocks; ++block)
          run_block(block, blocks, threads, shared_bytes, body);
      },
      true);
}

}  // namespace gteway::cuda::emulation

template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int value) {
  return static_cast<size_t>(value) <= gteway::cuda::emulation::machine().shared_memory
             ? cudaSuccess
             : cudaErrorInvalidValue;
}
