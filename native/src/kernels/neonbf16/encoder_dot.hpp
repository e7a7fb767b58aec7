// Products of bfloat16 summed in float32. Internal to every file that includes it.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "kernels/neon/encoder_product.hpp"

namespace gteway::kernels {
namespace {

struct DotBf16 {
  using Element = uint16_t;
  using Sum = float32x4_t;
  using Words = bfloat16x8_t;
  static Sum zero() { return vdupq_n_f32(0); }
  static Words load(const char* at) {
    return vreinterpretq_bf16_u16(vld1q_u16(reinterpret_cast<const uint16_t*>(at)));
  }
  static Words load_row(const char* at) { return load(at); }
  template <int kLane>
  static Sum add(Sum sum, Words row, Words columns) {
    return vbfdotq_laneq_f32(sum, columns, row, kLane);
  }
};

}  // namespace
}  // namespace gteway::kernels
