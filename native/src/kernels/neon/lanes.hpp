// NEON's vectors, as generic/ wants them. Internal to every file that includes it.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace gteway::kernels::neon {
namespace {

// 4 integers of 32 bits.
struct I32 {
  static constexpr size_t kLanes = 4;
  int32x4_t v;

  static I32 of(int32_t x) { return {vdupq_n_s32(x)}; }
  static I32 load(const void* at) { return {vld1q_s32(static_cast<const int32_t*>(at))}; }
  void store(void* to) const { vst1q_s32(static_cast<int32_t*>(to), v); }
  I32 upper_halves() const { return {vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(v), 16))}; }

  friend I32 operator+(I32 a, I32 b) { return {vaddq_s32(a.v, b.v)}; }
  friend I32 operator*(I32 a, I32 b) { return {vmulq_s32(a.v, b.v)}; }
  friend I32 operator&(I32 a, I32 b) { return {vandq_s32(a.v, b.v)}; }
  friend I32 operator|(I32 a, I32 b) { return {vorrq_s32(a.v, b.v)}; }
  friend int32_t sum_lanes(I32 x) { return vaddvq_s32(x.v); }
  friend void store_upper_halves(uint16_t* to, I32 low, I32 high) {
    vst1q_u16(to, vuzp2q_u16(vreinterpretq_u16_s32(low.v), vreinterpretq_u16_s32(high.v)));
  }
  friend void store_i8(int8_t* to, const I32 (&x)[2]) {
    vst1_s8(to, vqmovn_s16(vcombine_s16(vqmovn_s32(x[0].v), vqmovn_s32(x[1].v))));
  }
  friend void store_u8(uint8_t* to, I32 low, I32 high) {
    vst1_u8(to, vqmovn_u16(vcombine_u16(vqmovun_s32(low.v), vqmovun_s32(high.v))));
  }
};

// 4 float32. Minima and maxima keep a NaN, on whichever side it is.
struct F32 {
  using I32 = neon::I32;
  static constexpr size_t kLanes = 4;
  static constexpr bool kHasMasks = false;
  static constexpr size_t kBytesVectors = 2;
  static constexpr size_t kSigns = 8;
  static constexpr size_t kRowSums = 4;
  static constexpr size_t kSoftmaxSums = 1;
  float32x4_t v;

  static F32 of(float x) { return {vdupq_n_f32(x)}; }
  static F32 of(I32 x) { return {vcvtq_f32_s32(x.v)}; }
  static F32 load(const float* at) { return {vld1q_f32(at)}; }
  static F32 load_f16(const uint16_t* at) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at)))}; }
  static F32 load_bf16(const uint16_t* at) { return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(at), 16))}; }
  void store(float* to) const { vst1q_f32(to, v); }
  I32 bits() const { return {vreinterpretq_s32_f32(v)}; }

  friend F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
  friend F32 operator-(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
  friend F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
  friend F32 operator/(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
  friend F32 fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  friend F32 min(F32 a, F32 b) { return {vminq_f32(a.v, b.v)}; }
  friend F32 max(F32 a, F32 b) { return {vmaxq_f32(a.v, b.v)}; }
  friend F32 abs(F32 x) { return {vabsq_f32(x.v)}; }
  friend F32 round_to_even(F32 x) { return {vrndnq_f32(x.v)}; }
  friend F32 times_power_of_2(F32 x, F32 power) {
    const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(power.v), vdupq_n_s32(127));
    return {vmulq_f32(x.v, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)))};
  }
  friend F32 where_negative(F32 x, F32 then, F32 otherwise) {
    return {vbslq_f32(vcltzq_f32(x.v), then.v, otherwise.v)};
  }
  friend I32 unless_nan(F32 x, I32 rounded) {
    return {vbslq_s32(vceqq_f32(x.v, x.v), rounded.v, (x.bits() | I32::of(0x400000)).v)};
  }
  friend F32 first_lanes(F32 x, size_t count, F32 others) {
    const uint32x4_t limit = vdupq_n_u32(count < kLanes ? static_cast<uint32_t>(count) : 4);
    return {vbslq_f32(vcgtq_u32(limit, uint32x4_t{0, 1, 2, 3}), x.v, others.v)};
  }
  friend float sum_lanes(F32 x) { return vaddvq_f32(x.v); }
  friend float max_lanes(F32 x) { return vmaxvq_f32(x.v); }
  friend float min_lanes(F32 x) { return vminvq_f32(x.v); }
  friend I32 to_int(F32 x) { return {vcvtnq_s32_f32(x.v)}; }

  friend void store_f16(uint16_t* to, F32 low, F32 high) {
    vst1q_u16(to, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(low.v), high.v)));
  }
  // The instruction makes NaN 0 and saturates.
  friend I32 round_to_i8(F32 x) {
    return {vmaxq_s32(vminq_s32(vcvtnq_s32_f32(x.v), vdupq_n_s32(127)), vdupq_n_s32(-127))};
  }
  static void store_positive(uint8_t* to, const float* from) {
    static constexpr uint16_t kWeights[8] = {128, 64, 32, 16, 8, 4, 2, 1};
    const uint16x8_t positive =
        vcombine_u16(vmovn_u32(vcgtzq_f32(vld1q_f32(from))), vmovn_u32(vcgtzq_f32(vld1q_f32(from + 4))));
    *to = static_cast<uint8_t>(vaddvq_u16(vandq_u16(positive, vld1q_u16(kWeights))));
  }
};

// 4 float64 in two registers, from and to float32.
struct F64 {
  static constexpr size_t kLanes = 4;
  static constexpr size_t kSums = 8;
  float64x2_t low, high;

  static F64 of(double x) { return {vdupq_n_f64(x), vdupq_n_f64(x)}; }
  static F64 load(const float* at) {
    const float32x4_t x = vld1q_f32(at);
    return {vcvt_f64_f32(vget_low_f32(x)), vcvt_high_f64_f32(x)};
  }
  static F64 load(const float* at, size_t count) {
    float all[4] = {};
    for (size_t i = 0; i < count; ++i) all[i] = at[i];
    return load(all);
  }
  void store(float* to) const { vst1q_f32(to, vcvt_high_f32_f64(vcvt_f32_f64(low), high)); }
  void store(float* to, size_t count) const {
    float all[4];
    store(all);
    for (size_t i = 0; i < count; ++i) to[i] = all[i];
  }

  friend F64 operator+(F64 a, F64 b) { return {vaddq_f64(a.low, b.low), vaddq_f64(a.high, b.high)}; }
  friend F64 operator*(F64 a, F64 b) { return {vmulq_f64(a.low, b.low), vmulq_f64(a.high, b.high)}; }
  friend F64 operator/(F64 a, F64 b) { return {vdivq_f64(a.low, b.low), vdivq_f64(a.high, b.high)}; }
  friend F64 fma(F64 a, F64 b, F64 c) {
    return {vfmaq_f64(c.low, a.low, b.low), vfmaq_f64(c.high, a.high, b.high)};
  }
  friend double sum_lanes(F64 x) { return vaddvq_f64(vaddq_f64(x.low, x.high)); }
};

// 16 bytes of text, and a byte of ones or zeros for each.
struct Bytes {
  static constexpr size_t kLanes = 16;
  uint8x16_t v;

  struct Mask {
    uint8x16_t v;
    static Mask all_if(bool set) { return {vdupq_n_u8(set ? 0xFF : 0)}; }
    friend Mask operator&(Mask a, Mask b) { return {vandq_u8(a.v, b.v)}; }
    friend Mask operator|(Mask a, Mask b) { return {vorrq_u8(a.v, b.v)}; }
    friend Mask and_not(Mask a, Mask b) { return {vbicq_u8(a.v, b.v)}; }
    // NEON has no movemask: each byte keeps one bit, and pairwise additions gather four vectors of them.
    friend uint64_t bits_of(const Mask (&mask)[4]) {
      const uint8x16_t places = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
      const uint8x16_t low = vpaddq_u8(vandq_u8(mask[0].v, places), vandq_u8(mask[1].v, places));
      const uint8x16_t high = vpaddq_u8(vandq_u8(mask[2].v, places), vandq_u8(mask[3].v, places));
      const uint8x16_t quarter = vpaddq_u8(low, high);
      return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(quarter, quarter)), 0);
    }
  };

  static Bytes of(uint8_t x) { return {vdupq_n_u8(x)}; }
  static Bytes load(const char* at) { return {vld1q_u8(reinterpret_cast<const uint8_t*>(at))}; }
  // `count` of them, fewer than 16, and zeros.
  static Bytes load(const char* at, size_t count) {
    alignas(16) char bytes[16] = {};
    for (size_t i = 0; i < count; ++i) bytes[i] = at[i];
    return load(bytes);
  }
  void store(char* to) const { vst1q_u8(reinterpret_cast<uint8_t*>(to), v); }
  // Of signed bytes: four products in each lane.
  friend I32 sums_of_products(Bytes a, Bytes b) {
    const int8x16_t x = vreinterpretq_s8_u8(a.v), y = vreinterpretq_s8_u8(b.v);
    const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(y));
    return {vpadalq_s16(vpaddlq_s16(low), vmull_high_s8(x, y))};
  }
  friend I32 differing_bits(Bytes a, Bytes b) {
    return {vreinterpretq_s32_u32(vpaddlq_u16(vpaddlq_u8(vcntq_u8(veorq_u8(a.v, b.v)))))};
  }
  friend Bytes operator|(Bytes a, Bytes b) { return {vorrq_u8(a.v, b.v)}; }
  Mask is(uint8_t x) const { return {vceqq_u8(v, of(x).v)}; }
  Mask between(uint8_t first, uint8_t last) const {
    return {vcleq_u8(vsubq_u8(v, of(first).v), of(static_cast<uint8_t>(last - first)).v)};
  }
  Mask is_ascii_but_zero() const { return {vcgtzq_s8(vreinterpretq_s8_u8(v))}; }
  Bytes with(Mask where, uint8_t bits) const { return {vorrq_u8(v, vandq_u8(where.v, of(bits).v))}; }
};

}  // namespace
}  // namespace gteway::kernels::neon
