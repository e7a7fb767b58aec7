// Float formats, 8 elements at a time. The last ones go through a full vector of their own on the stack, so
// that they get the same instructions as the others.
#include <arm_neon.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::neon {
namespace {

// out[0, 8) = convert(x[0, 8)) for every group of 8, the last one padded with zeros.
template <class From, class To, class Convert>
inline void by_eights(const From* x, size_t count, To* out, Convert convert) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) convert(x + i, out + i);
  if (i == count) return;
  From from[8] = {};
  To to[8];
  for (size_t j = 0; i + j < count; ++j) from[j] = x[i + j];
  convert(from, to);
  for (size_t j = 0; i + j < count; ++j) out[i + j] = to[j];
}

inline uint16x4_t half_of(float32x4_t value) { return vreinterpret_u16_f16(vcvt_f16_f32(value)); }

inline uint16x4_t bf16_of(float32x4_t value) {
  const uint32x4_t bits = vreinterpretq_u32_f32(value);
  const uint32x4_t upper = vshrq_n_u32(bits, 16);
  const uint32x4_t last_bit = vandq_u32(upper, vdupq_n_u32(1));
  const uint32x4_t rounded = vshrq_n_u32(vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), last_bit), 16);
  const uint32x4_t number = vceqq_f32(value, value);
  return vmovn_u32(vbslq_u32(number, rounded, vorrq_u32(upper, vdupq_n_u32(0x40))));
}

// To nearest, ties to even, clamped to ±127; the instruction makes NaN 0 and saturates.
inline int16x4_t round_i8(float32x4_t value) {
  const int32x4_t rounded = vcvtnq_s32_f32(value);
  return vmovn_s32(vmaxq_s32(vminq_s32(rounded, vdupq_n_s32(127)), vdupq_n_s32(-127)));
}

inline uint8_t bits_of(const float* x) {
  static constexpr uint16_t kWeights[8] = {128, 64, 32, 16, 8, 4, 2, 1};
  const uint16x8_t positive =
      vcombine_u16(vmovn_u32(vcgtzq_f32(vld1q_f32(x))), vmovn_u32(vcgtzq_f32(vld1q_f32(x + 4))));
  return static_cast<uint8_t>(vaddvq_u16(vandq_u16(positive, vld1q_u16(kWeights))));
}

}  // namespace

void f32_to_f16(const float* x, size_t count, uint16_t* out) noexcept {
  by_eights(x, count, out, [](const float* from, uint16_t* to) {
    vst1q_u16(to, vcombine_u16(half_of(vld1q_f32(from)), half_of(vld1q_f32(from + 4))));
  });
}

void f16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  by_eights(x, count, out, [](const uint16_t* from, float* to) {
    const uint16x8_t halfs = vld1q_u16(from);
    vst1q_f32(to, vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(halfs))));
    vst1q_f32(to + 4, vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(halfs))));
  });
}

void f32_to_bf16(const float* x, size_t count, uint16_t* out) noexcept {
  by_eights(x, count, out, [](const float* from, uint16_t* to) {
    vst1q_u16(to, vcombine_u16(bf16_of(vld1q_f32(from)), bf16_of(vld1q_f32(from + 4))));
  });
}

void bf16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  by_eights(x, count, out, [](const uint16_t* from, float* to) {
    const uint16x8_t upper = vld1q_u16(from);
    vst1q_f32(to, vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(upper), 16)));
    vst1q_f32(to + 4, vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(upper), 16)));
  });
}

void f32_to_i8(const float* x, size_t count, float scale, int8_t* out) noexcept {
  by_eights(x, count, out, [scale](const float* from, int8_t* to) {
    const int16x4_t low = round_i8(vmulq_n_f32(vld1q_f32(from), scale));
    const int16x4_t high = round_i8(vmulq_n_f32(vld1q_f32(from + 4), scale));
    vst1_s8(to, vmovn_s16(vcombine_s16(low, high)));
  });
}

void f32_to_bits(const float* x, size_t count, uint8_t* out) noexcept {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) out[i / 8] = bits_of(x + i);
  if (i == count) return;
  float from[8] = {};
  for (size_t j = 0; i + j < count; ++j) from[j] = x[i + j];
  out[i / 8] = bits_of(from);
}

}  // namespace gteway::kernels::neon
