// What a thread of a kernel may call, by the names CUDA has for it.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "engine/cuda/emulation/block.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define threadIdx (::gteway::cuda::emulation::current_thread)
#define blockIdx (::gteway::cuda::emulation::current_block)
#define blockDim (::gteway::cuda::emulation::current_block_size)
#define gridDim (::gteway::cuda::emulation::current_grid_size)

struct uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace gteway::cuda::emulation {

inline float bf16_to_float(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
float fp16_to_float(uint16_t bits);

template <int kPending>
void wait_for_copies() {
  wait_for_copies_but(kPending);
}

void load_matrices(uint32_t (&r)[4], const void* row);
void load_matrices_transposed(uint32_t (&r)[4], const void* row);
void multiply_add(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, float (*widen)(uint16_t));
uint32_t exchange(uint32_t value, uint32_t source_lane, const char* kind);

inline float power_of_two(float x) { return std::exp2(x); }

}  // namespace gteway::cuda::emulation

void __syncthreads();
void __syncwarp(uint32_t mask = 0xffffffffU);

template <class T>
T __shfl_sync(uint32_t, T value, uint32_t lane) {
  static_assert(sizeof(T) == 4);
  return std::bit_cast<T>(
      gteway::cuda::emulation::exchange(std::bit_cast<uint32_t>(value), lane % 32, "__shfl_sync"));
}
template <class T>
T __shfl_xor_sync(uint32_t, T value, uint32_t lanes) {
  static_assert(sizeof(T) == 4);
  return std::bit_cast<T>(gteway::cuda::emulation::exchange(std::bit_cast<uint32_t>(value),
                                                            (threadIdx.x % 32) ^ lanes, "__shfl_xor_sync"));
}
