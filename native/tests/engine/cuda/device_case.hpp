// What the tests of the CUDA kernels share. They are compiled twice: as plain C++ against the emulation, in
// gteway_tests, and by nvcc for a real GPU, in scripts/gpu-check.sh.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/cuda/device/number.cuh"
#include "engine/cuda/device/platform.cuh"
#include "test.hpp"

namespace gteway::cuda::test {

#ifdef __CUDACC__
constexpr bool kEmulated = false;
#else
constexpr bool kEmulated = true;
#endif

inline void check_cuda(cudaError_t error, const char* what) {
  if (error != cudaSuccess)
    throw std::runtime_error(std::string(what) + ": " + cudaGetErrorName(error) + ", " +
                             cudaGetErrorString(error));
}

// An array on the device, uninitialised bytes all ones: NaN in every type.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    check_cuda(cudaMalloc(reinterpret_cast<void**>(&data_), bytes()), "cudaMalloc");
    std::vector<unsigned char> poison(bytes(), 0xff);
    check_cuda(cudaMemcpy(data_, poison.data(), bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
    check_cuda(cudaDeviceSynchronize(), "cudaMemcpy");
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) { set(values); }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  void set(const std::vector<T>& values) {
    check_cuda(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
    check_cuda(cudaDeviceSynchronize(), "cudaMemcpy");  // the tests' streams would not wait for it
  }
  std::vector<T> get() const {
    std::vector<T> values(count_);
    check_cuda(cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }

 private:
  size_t bytes() const { return count_ * sizeof(T); }
  size_t count_;
  T* data_ = nullptr;
};

class TestStream {
 public:
  TestStream() { check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  ~TestStream() { cudaStreamDestroy(stream_); }
  TestStream(const TestStream&) = delete;
  TestStream& operator=(const TestStream&) = delete;
  operator cudaStream_t() const { return stream_; }
  void finish() const {
    check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    check_cuda(cudaGetLastError(), "a kernel");
  }

 private:
  cudaStream_t stream_ = nullptr;
};

inline float widen(Bf16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}
inline float widen(Fp16 value) {
  const int exponent = value.bits >> 10 & 31, mantissa = value.bits & 1023;
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                        : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  return (value.bits & 0x8000) != 0 ? -magnitude : magnitude;
}

template <class T>
constexpr double unit_roundoff() {  // of one rounding to T
  return std::is_same_v<T, Bf16> ? 1.0 / 256 : 1.0 / 2048;
}

// Skips where no kernel can run: without a GPU, or in the emulation under a tool that cannot follow fibers.
inline void need_device() {
#if defined(__SANITIZE_THREAD__)
  SKIP("ThreadSanitizer cannot follow the fibers of the CUDA emulation");
#else
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) SKIP("no CUDA device here");
#endif
}

// Runs `body` once on a GPU; in the emulation once for every schedule, so that what a kernel forgets to wait
// for shows in its result.
inline void in_every_schedule(const std::function<void()>& body) {
#ifdef __CUDACC__
  body();
#else
  using emulation::Schedule;
  const Schedule before = emulation::schedule();
  for (const auto warps : {Schedule::Warps::kInTurn, Schedule::Warps::kForward, Schedule::Warps::kReverse})
    for (const bool late : {true, false}) {
      emulation::schedule() = {warps, late};
      body();
    }
  emulation::schedule() = before;
#endif
}

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  float normal(float deviation = 1) { return std::normal_distribution<float>(0, deviation)(engine_); }
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(engine_); }

  std::vector<float> normals(size_t count, float deviation = 1, float mean = 0) {
    std::vector<float> values(count);
    for (float& value : values) value = mean + normal(deviation);
    return values;
  }
  // Rounded to T, as its bits.
  template <class T>
  std::vector<uint16_t> rounded_normals(size_t count, float deviation = 1) {
    std::vector<uint16_t> values(count);
    for (uint16_t& value : values) value = round_to<T>(normal(deviation));
    return values;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace gteway::cuda::test
