// The 16-bit types weights and activations are kept in. Two neighbours travel as one 32-bit word, the first
// in the lower half: what the tensor cores' fragments are made of.
#pragma once

#include "engine/cuda/device/platform.cuh"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#else
#include <bit>
#endif

namespace gteway::cuda {

struct Bf16 {
  uint16_t bits;
};
struct Fp16 {
  uint16_t bits;
};

#ifdef __CUDACC__

template <class T>
__device__ inline uint32_t pack(float first, float second);
template <>
__device__ inline uint32_t pack<Bf16>(float first, float second) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
template <>
__device__ inline uint32_t pack<Fp16>(float first, float second) {
  const __half2 pair = __floats2half2_rn(first, second);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

#endif

// Host code rounds weights with these (to nearest, ties to even), and the emulation everything.
inline uint16_t round_to_bf16(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

inline uint16_t round_to_fp16(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U) return static_cast<uint16_t>(sign | 0x7c00U);  // 65,520 and above
  if (magnitude < 0x38800000U) {                                               // below 2^-14: subnormal
    const uint32_t exponent = magnitude >> 23;
    if (exponent < 102) return static_cast<uint16_t>(sign);
    const uint32_t mantissa = (magnitude & 0x7fffffU) | 0x800000U;
    const uint32_t shift = 126 - exponent;
    const uint32_t half = 1U << (shift - 1);
    const uint32_t rest = mantissa & ((1U << shift) - 1);
    uint32_t result = mantissa >> shift;
    if (rest > half || (rest == half && (result & 1U) != 0)) ++result;
    return static_cast<uint16_t>(sign | result);
  }
  const uint32_t rebased = magnitude - (112U << 23);
  return static_cast<uint16_t>(sign | ((rebased + 0xfffU + ((rebased >> 13) & 1U)) >> 13));
}

template <class T>
uint16_t round_to(float value);
template <>
inline uint16_t round_to<Bf16>(float value) {
  return round_to_bf16(value);
}
template <>
inline uint16_t round_to<Fp16>(float value) {
  return round_to_fp16(value);
}

#ifndef __CUDACC__

template <class T>
inline uint32_t pack(float first, float second) {
  return round_to<T>(first) | static_cast<uint32_t>(round_to<T>(second)) << 16;
}

#endif

}  // namespace gteway::cuda
