#include "engine/cuda/emulation/runtime.hpp"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace gteway::cuda::emulation {

struct Work {
  std::function<void()> run;
  bool kernel;
};
struct Stream {
  std::vector<Work> pending;
  std::vector<Work>* capture = nullptr;
};
struct Graph {
  std::vector<Work> work;
};
struct Event {
  Stream* stream = nullptr;
};

namespace {

struct Allocation {
  size_t bytes;
  int device;
};

struct Global {
  std::mutex mutex;
  std::map<void*, Allocation> allocations;
  Machine machine;
  cudaError_t planned = cudaSuccess;
  cudaError_t broken = cudaSuccess;
  size_t kernels = 0;
  size_t graphs = 0;
};

Global& global() {
  static Global state;
  return state;
}

thread_local int device_now = 0;

cudaError_t broken() {
  const std::lock_guard lock(global().mutex);
  return global().broken;
}

cudaError_t drain(Stream* stream) {
  std::vector<Work> work;
  work.swap(stream->pending);
  for (const Work& item : work) {
    {
      const std::lock_guard lock(global().mutex);
      if (item.kernel && global().planned != cudaSuccess) global().broken = global().planned;
      if (global().broken != cudaSuccess) return global().broken;
      if (item.kernel) ++global().kernels;
    }
    item.run();
  }
  return broken();
}

size_t used(int device) {
  size_t bytes = 0;
  for (const auto& [pointer, allocation] : global().allocations)
    if (allocation.device == device) bytes += allocation.bytes;
  return bytes;
}

}  // namespace

Machine& machine() { return global().machine; }

void break_device(cudaError_t error) {
  const std::lock_guard lock(global().mutex);
  global().planned = error;
}

void recover() {
  const std::lock_guard lock(global().mutex);
  global().planned = global().broken = cudaSuccess;
}

size_t allocated_bytes() {
  const std::lock_guard lock(global().mutex);
  size_t bytes = 0;
  for (const auto& [pointer, allocation] : global().allocations) bytes += allocation.bytes;
  return bytes;
}

size_t kernels_run() {
  const std::lock_guard lock(global().mutex);
  return global().kernels;
}

size_t graphs_launched() {
  const std::lock_guard lock(global().mutex);
  return global().graphs;
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> work, bool kernel) {
  if (const cudaError_t error = broken(); error != cudaSuccess) return error;
  (stream->capture != nullptr ? *stream->capture : stream->pending).push_back({std::move(work), kernel});
  return cudaSuccess;
}

}  // namespace gteway::cuda::emulation

using namespace gteway::cuda::emulation;

cudaError_t cudaGetLastError() { return broken(); }

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorECCUncorrectable:
      return "cudaErrorECCUncorrectable";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    default:
      return "an emulated error";
  }
}

const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = machine().devices;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= machine().devices) return cudaErrorInvalidDevice;
  device_now = device;
  return broken();
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= machine().devices) return cudaErrorInvalidDevice;
  *properties = {};
  std::strcpy(properties->name, "emulated GPU");
  properties->major = machine().major;
  properties->minor = machine().minor;
  properties->multiProcessorCount = 2;
  properties->l2CacheSize = 1 << 20;
  properties->totalGlobalMem = machine().memory;
  properties->sharedMemPerBlockOptin = machine().shared_memory;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::lock_guard lock(global().mutex);
  *total = global().machine.memory;
  const size_t taken = used(device_now);
  *free = *total > taken ? *total - taken : 0;
  return global().broken;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  const std::lock_guard lock(global().mutex);
  if (global().broken != cudaSuccess) return global().broken;
  if (used(device_now) + bytes > global().machine.memory) return cudaErrorMemoryAllocation;
  *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*pointer, 0xff, bytes);
  global().allocations[*pointer] = {bytes, device_now};
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  const std::lock_guard lock(global().mutex);
  if (pointer != nullptr && global().allocations.erase(pointer) == 0) return cudaErrorInvalidValue;
  std::free(pointer);
  return global().broken;
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  if (const cudaError_t error = broken(); error != cudaSuccess) return error;
  *pointer = std::malloc(bytes);
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* pointer) {
  std::free(pointer);
  return broken();
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, int) {
  if (const cudaError_t error = broken(); error != cudaSuccess) return error;
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, int, cudaStream_t stream) {
  return enqueue(
      stream, [=] { std::memcpy(to, from, bytes); }, false);
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return enqueue(
      stream, [=] { std::memset(to, value, bytes); }, false);
}

cudaError_t cudaDeviceSynchronize() { return broken(); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (const cudaError_t error = broken(); error != cudaSuccess) return error;
  *stream = new Stream;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return broken();
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return drain(stream); }

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!machine().graphs) return cudaErrorNotSupported;
  stream->capture = new std::vector<Work>;
  return broken();
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = new Graph{std::move(*stream->capture)};
  delete stream->capture;
  stream->capture = nullptr;
  return broken();
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new Graph(*graph);
  return broken();
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (const cudaError_t error = broken(); error != cudaSuccess) return error;
  stream->pending.insert(stream->pending.end(), executable->work.begin(), executable->work.end());
  const std::lock_guard lock(global().mutex);
  ++global().graphs;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  if (const cudaError_t error = broken(); error != cudaSuccess) return error;
  *event = new Event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  return broken();
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) { return drain(event->stream); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return broken();
}
