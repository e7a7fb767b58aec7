// Float formats: their fields and rounding in integers, so that the result depends on no instruction.
#include "kernels/contract.hpp"

namespace gteway::kernels::scalar {
namespace {

uint32_t bits_of(float value) { return __builtin_bit_cast(uint32_t, value); }
float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

constexpr uint32_t kInfinity = 0x7f800000;  // float32
constexpr uint32_t kHalfOverflow =
    0x477ff000;  // 65520: half way from the largest half to the next power of two
constexpr uint32_t kSmallestNormalHalf = 0x38800000;  // 2^-14
constexpr uint32_t kRebias = (127 - 15) << 23;        // between the exponents of float32 and half

uint16_t half_of(float value) {
  const uint32_t bits = bits_of(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t half;
  if (magnitude > kInfinity) {
    half = 0x7e00 | ((magnitude >> 13) & 0x3ff);
  } else if (magnitude >= kHalfOverflow) {
    half = 0x7c00;
  } else if (magnitude >= kSmallestNormalHalf) {
    // Half a unit less one, plus one where the unit's last bit is odd: ties go to even.
    const uint32_t rebiased = magnitude - kRebias;
    half = (rebiased + 0xfff + ((rebiased >> 13) & 1)) >> 13;
  } else {
    // 0.5's unit in the last place is 2^-24, the unit of subnormal halfs: the addition rounds to it.
    half = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
  }
  return static_cast<uint16_t>(sign | half);
}

float float_of_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31, mantissa = half & 0x3ff;
  if (exponent == 31) {
    const uint32_t quiet = mantissa == 0 ? 0 : 0x400000;
    return float_of(sign | kInfinity | quiet | (mantissa << 13));
  }
  if (exponent == 0) return float_of(sign | bits_of(static_cast<float>(mantissa) * 0x1p-24f));
  return float_of(sign | (((exponent << 23) | (mantissa << 13)) + kRebias));
}

uint16_t bf16_of(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffff) > kInfinity) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

int8_t i8_of(float value) {
  if (value != value) return 0;
  const float clamped = value < -127 ? -127 : value > 127 ? 127 : value;
  // From 2^23 to 2^24 the unit in the last place is 1, so that adding 1.5 × 2^23 rounds to an integer.
  constexpr float kIntegers = 0x1.8p23f;
  return static_cast<int8_t>((clamped + kIntegers) - kIntegers);
}

}  // namespace

void f32_to_f16(const float* x, size_t count, uint16_t* out) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = half_of(x[i]);
}

void f16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = float_of_half(x[i]);
}

void f32_to_bf16(const float* x, size_t count, uint16_t* out) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = bf16_of(x[i]);
}

void bf16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = float_of(static_cast<uint32_t>(x[i]) << 16);
}

void f32_to_i8(const float* x, size_t count, float scale, int8_t* out) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = i8_of(x[i] * scale);
}

void f32_to_bits(const float* x, size_t count, uint8_t* out) noexcept {
  for (size_t i = 0; i < count; i += 8) {
    unsigned byte = 0;
    for (size_t j = i; j < count && j < i + 8; ++j) byte |= static_cast<unsigned>(x[j] > 0) << (7 - (j - i));
    out[i / 8] = static_cast<uint8_t>(byte);
  }
}

}  // namespace gteway::kernels::scalar
