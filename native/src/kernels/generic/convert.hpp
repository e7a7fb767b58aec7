// Float formats, some vectors at a time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gteway::kernels {
namespace {

// The first `count` elements of a buffer, which is a multiple of 64 bytes where the set has masks: they fill
// it in one piece, which the loads after it need not wait for.
template <class F32, class T>
inline void copy_in(T* buffer, const T* from, size_t count) {
  if constexpr (F32::kHasMasks) {
    F32::copy_in(buffer, from, count);
  } else {
    for (size_t i = 0; i < count; ++i) buffer[i] = from[i];
  }
}

// convert(from, to) of kStep elements, for all of them. The last step ends with the last element and so may
// convert some of the step before again; fewer than a step go through the stack, so that they get the same
// instructions as the others.
template <class F32, size_t kStep, class From, class To, class Convert>
inline void in_steps(const From* x, size_t count, To* out, Convert convert) {
  if (count >= kStep) {
    for (size_t i = 0; i + kStep <= count; i += kStep) convert(x + i, out + i);
    if (count % kStep != 0) convert(x + count - kStep, out + count - kStep);
    return;
  }
  alignas(64) From from[kStep] = {};
  alignas(64) To to[kStep * sizeof(To) < 64 ? 64 / sizeof(To) : kStep];
  copy_in<F32>(from, x, count);
  convert(from, to);
  if constexpr (F32::kHasMasks) {
    F32::copy_out(out, to, count);
  } else {
    for (size_t i = 0; i < count; ++i) out[i] = to[i];
  }
}

// Rounded to the nearest bfloat16, ties to even: its bits are the upper halves. A NaN stays one and becomes
// quiet. Integer arithmetic, since vcvtneps2bf16 flushes subnormals to zero.
template <class F32>
inline auto round_to_bf16(F32 x) {
  using I32 = typename F32::I32;
  const I32 bits = x.bits();
  const I32 last_bit = bits.upper_halves() & I32::of(1);
  return unless_nan(x, bits + I32::of(0x7fff) + last_bit);
}

// 2 × F32::kLanes elements.
template <class F32>
inline void store_bf16(uint16_t* to, F32 low, F32 high) {
  store_upper_halves(to, round_to_bf16(low), round_to_bf16(high));
}

template <class F32>
void f32_to_f16(const float* x, size_t count, uint16_t* out) noexcept {
  constexpr size_t kLanes = F32::kLanes;
  in_steps<F32, 2 * kLanes>(x, count, out, [](const float* from, uint16_t* to) {
    store_f16(to, F32::load(from), F32::load(from + kLanes));
  });
}

template <class F32>
void f16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  constexpr size_t kLanes = F32::kLanes;
  in_steps<F32, 2 * kLanes>(x, count, out, [](const uint16_t* from, float* to) {
    F32::load_f16(from).store(to);
    F32::load_f16(from + kLanes).store(to + kLanes);
  });
}

template <class F32>
void f32_to_bf16(const float* x, size_t count, uint16_t* out) noexcept {
  constexpr size_t kLanes = F32::kLanes;
  in_steps<F32, 2 * kLanes>(x, count, out, [](const float* from, uint16_t* to) {
    store_bf16(to, F32::load(from), F32::load(from + kLanes));
  });
}

template <class F32>
void bf16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  constexpr size_t kLanes = F32::kLanes;
  in_steps<F32, 2 * kLanes>(x, count, out, [](const uint16_t* from, float* to) {
    F32::load_bf16(from).store(to);
    F32::load_bf16(from + kLanes).store(to + kLanes);
  });
}

template <class F32>
void f32_to_i8(const float* x, size_t count, float scale, int8_t* out) noexcept {
  constexpr size_t kLanes = F32::kLanes, kVectors = F32::kBytesVectors;
  const F32 factor = F32::of(scale);
  in_steps<F32, kVectors * kLanes>(x, count, out, [&](const float* from, int8_t* to) {
    typename F32::I32 rounded[kVectors];
    for (size_t v = 0; v < kVectors; ++v) rounded[v] = round_to_i8(F32::load(from + v * kLanes) * factor);
    store_i8(to, rounded);
  });
}

template <class F32>
void f32_to_bits(const float* x, size_t count, uint8_t* out) noexcept {
  constexpr size_t kStep = F32::kSigns;
  size_t i = 0;
  for (; i + kStep <= count; i += kStep) F32::store_positive(out + i / 8, x + i);
  if (i == count) return;
  alignas(64) float from[kStep] = {};
  uint8_t to[kStep / 8];
  copy_in<F32>(from, x + i, count - i);
  F32::store_positive(to, from);
  for (size_t j = 0; i + 8 * j < count; ++j) out[i / 8 + j] = to[j];
}

}  // namespace
}  // namespace gteway::kernels
