// bfloat16, and how a product leaves: shared by the scalar kernels of the encoder.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_layout.hpp"

namespace gteway::kernels::scalar {
namespace {

[[maybe_unused]] float from_bf16(uint16_t half) {
  union {
    uint32_t bits;
    float value;
  } x;
  x.bits = static_cast<uint32_t>(half) << 16;
  return x.value;
}

[[maybe_unused]] uint16_t to_bf16(float value) {
  union {
    float value;
    uint32_t bits;
  } x;
  x.value = value;
  if (value != value) return static_cast<uint16_t>(x.bits >> 16 | 0x40);  // quiet, and never infinity
  return static_cast<uint16_t>((x.bits + 0x7fff + (x.bits >> 16 & 1)) >> 16);
}

[[maybe_unused]] float activate(float x, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGeluErf:
      return static_cast<float>(0.5 * x * (1 + std::erf(x * 0.70710678118654752)));
    case Activation::kGeluTanh:
      // sqrt(2 / pi); Hendrycks and Gimpel, "Gaussian Error Linear Units", section 2.
      return static_cast<float>(0.5 * x * (1 + std::tanh(0.79788456080286536 * (x + 0.044715 * x * x * x))));
    case Activation::kSilu:
      return static_cast<float>(x / (1 + std::exp(-static_cast<double>(x))));
    case Activation::kRelu:
      return x < 0 ? 0 : x;
  }
  return x;
}

[[maybe_unused]] void store_result(float y, const Result& to, size_t row, size_t column) {
  y = activate(y, to.activation);
  char* const at = static_cast<char*>(to.data) + row * to.stride;
  switch (to.kind) {
    case ResultKind::kF32:
      reinterpret_cast<float*>(at)[column] = y;
      break;
    case ResultKind::kAddF32:
      reinterpret_cast<float*>(at)[column] += y;
      break;
    case ResultKind::kBf16:
      reinterpret_cast<uint16_t*>(at)[column] = to_bf16(y);
      break;
    case ResultKind::kTimesF32:
      reinterpret_cast<float*>(at)[column] *= y;
      break;
  }
}

}  // namespace
}  // namespace gteway::kernels::scalar
