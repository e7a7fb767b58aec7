// Elementary functions of the encoder on 4 lanes. Internal to every file that includes it.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_polynomials.hpp"

namespace gteway::kernels {
namespace {

template <class T>
[[maybe_unused]] const T* row_of(const void* data, size_t stride, size_t row) {
  return reinterpret_cast<const T*>(static_cast<const char*>(data) + row * stride);
}
template <class T>
[[maybe_unused]] T* row_of(void* data, size_t stride, size_t row) {
  return reinterpret_cast<T*>(static_cast<char*>(data) + row * stride);
}

[[maybe_unused]] constexpr size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// c[n - 1] t^(n - 1) + … + c[0]
template <size_t N>
[[maybe_unused]] inline float32x4_t polynomial(float32x4_t t, const float (&c)[N]) {
  float32x4_t sum = vdupq_n_f32(c[N - 1]);
  for (int i = static_cast<int>(N) - 2; i >= 0; --i) sum = vfmaq_f32(vdupq_n_f32(c[i]), sum, t);
  return sum;
}

// 2^x for x ≤ 0, relative error 2e-7; below 2^-126 it stays there. NaN stays NaN, as all of NEON's minima,
// maxima and arithmetic keep it.
[[maybe_unused]] inline float32x4_t exp2_of_negative(float32x4_t x) {
  x = vmaxq_f32(vdupq_n_f32(-126), x);
  const float32x4_t whole = vrndnq_f32(x);
  const int32x4_t exponent = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(whole), vdupq_n_s32(127)), 23);
  return vmulq_f32(polynomial(vsubq_f32(x, whole), kExp2Polynomial), vreinterpretq_f32_s32(exponent));
}

// See kBumpPolynomial.
[[maybe_unused]] inline float32x4_t gelu_erf(float32x4_t x) {
  const float32x4_t a = vminq_f32(vdupq_n_f32(kBumpEnd), vabsq_f32(x));
  const float32x4_t t = vfmaq_f32(vdupq_n_f32(-1), a, vdupq_n_f32(2 / kBumpEnd));
  return vsubq_f32(vmaxq_f32(vdupq_n_f32(0), x), polynomial(t, kBumpPolynomial));
}

// x / (1 + 2^-z), by 2^-|z|, which cannot overflow. See kTanhLinear.
[[maybe_unused]] inline float32x4_t gelu_tanh(float32x4_t x) {
  const float32x4_t square = vmulq_f32(x, x);
  const float32x4_t z = vmulq_f32(x, vfmaq_f32(vdupq_n_f32(kTanhLinear), square, vdupq_n_f32(kTanhCubic)));
  const float32x4_t e = exp2_of_negative(vnegq_f32(vabsq_f32(z)));
  const float32x4_t over = vdivq_f32(x, vaddq_f32(vdupq_n_f32(1), e));
  return vbslq_f32(vcltzq_f32(x), vmulq_f32(over, e), over);
}

template <Activation A>
inline float32x4_t activate(float32x4_t x) {
  if constexpr (A == Activation::kGeluErf) return gelu_erf(x);
  if constexpr (A == Activation::kGeluTanh) return gelu_tanh(x);
  return x;
}

// Rounded to nearest even; a NaN stays one.
[[maybe_unused]] inline uint16x4_t round_to_bf16(float32x4_t x) {
  const uint32x4_t bits = vreinterpretq_u32_f32(x);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16);
}

[[maybe_unused]] inline float32x4_t widen_bf16(uint16x4_t x) {
  return vreinterpretq_f32_u32(vshll_n_u16(x, 16));
}

}  // namespace
}  // namespace gteway::kernels
