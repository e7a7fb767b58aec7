// Elementary functions of the encoder, and from sums to results. Of two operands, max() and min() of x86 give
// the second where one is NaN: it is the one that may be.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_polynomials.hpp"
#include "kernels/generic/convert.hpp"

namespace gteway::kernels {
namespace {

// c[n - 1] t^(n - 1) + … + c[0]
template <class F32, size_t N>
inline F32 polynomial(F32 t, const float (&c)[N]) {
  F32 sum = F32::of(c[N - 1]);
#pragma GCC unroll 16
  for (int i = static_cast<int>(N) - 2; i >= 0; --i) sum = fma(sum, t, F32::of(c[i]));
  return sum;
}

// 2^x for x ≤ 0, relative error 2e-7; below 2^-126 it stays there. NaN stays NaN.
template <class F32>
inline F32 exp2_of_negative(F32 x) {
  x = max(F32::of(-126), x);
  const F32 whole = round_to_even(x);
  return times_power_of_2(polynomial(x - whole, kExp2Polynomial), whole);
}

// See kBumpPolynomial.
template <class F32>
inline F32 gelu_erf(F32 x) {
  const F32 a = min(F32::of(kBumpEnd), abs(x));
  const F32 t = fma(a, F32::of(2 / kBumpEnd), F32::of(-1));
  return max(F32::of(0), x) - polynomial(t, kBumpPolynomial);
}

// x / (1 + 2^-z), by 2^-|z|, which cannot overflow. See kTanhLinear.
template <class F32>
inline F32 gelu_tanh(F32 x) {
  const F32 z = x * fma(x * x, F32::of(kTanhCubic), F32::of(kTanhLinear));
  const F32 e = exp2_of_negative(F32::of(0) - abs(z));
  const F32 over = x / (F32::of(1) + e);
  return where_negative(x, over * e, over);
}

// x / (1 + 2^(-x log2 e)), likewise.
template <class F32>
inline F32 silu(F32 x) {
  const F32 e = exp2_of_negative(F32::of(0) - abs(x * F32::of(kLog2E)));
  const F32 over = x / (F32::of(1) + e);
  return where_negative(x, over * e, over);
}

template <Activation A, class F32>
inline F32 activate(F32 x) {
  if constexpr (A == Activation::kGeluErf) return gelu_erf(x);
  if constexpr (A == Activation::kGeluTanh) return gelu_tanh(x);
  if constexpr (A == Activation::kSilu) return silu(x);
  if constexpr (A == Activation::kRelu) return max(F32::of(0), x);
  return x;
}

// sums: [rows, kColumns] become results of the columns whose scales (null for 1) and biases are given.
using Finish = void(const float* sums, size_t rows, const float* scales, const float* biases, char* to,
                    size_t stride);

template <class F32, size_t kColumns, Activation A, ResultKind K>
void finish(const float* sums, size_t rows, const float* scales, const float* biases, char* to,
            size_t stride) {
  constexpr size_t kLanes = F32::kLanes, kVectors = kColumns / kLanes;
  F32 bias[kVectors], scale[kVectors];
  for (size_t v = 0; v < kVectors; ++v) {
    bias[v] = F32::load(biases + v * kLanes);
    scale[v] = scales == nullptr ? F32::of(1) : F32::load(scales + v * kLanes);
  }
  for (size_t r = 0; r < rows; ++r, sums += kColumns, to += stride)
    for (size_t v = 0; v < kVectors; v += 2) {
      F32 y[2];
      for (size_t i = 0; i < 2; ++i)
        y[i] = activate<A>(fma(F32::load(sums + (v + i) * kLanes), scale[v + i], bias[v + i]));
      if constexpr (K == ResultKind::kBf16) {
        store_bf16(reinterpret_cast<uint16_t*>(to) + v * kLanes, y[0], y[1]);
      } else {
        float* const at = reinterpret_cast<float*>(to) + v * kLanes;
        for (size_t i = 0; i < 2; ++i) {
          if constexpr (K == ResultKind::kAddF32) y[i] = F32::load(at + i * kLanes) + y[i];
          if constexpr (K == ResultKind::kTimesF32) y[i] = F32::load(at + i * kLanes) * y[i];
          y[i].store(at + i * kLanes);
        }
      }
    }
}

template <class F32, size_t kColumns, Activation A>
Finish* finish_for(ResultKind kind) {
  switch (kind) {
    case ResultKind::kF32:
      return finish<F32, kColumns, A, ResultKind::kF32>;
    case ResultKind::kAddF32:
      return finish<F32, kColumns, A, ResultKind::kAddF32>;
    case ResultKind::kBf16:
      return finish<F32, kColumns, A, ResultKind::kBf16>;
    case ResultKind::kTimesF32:
      return finish<F32, kColumns, A, ResultKind::kTimesF32>;
  }
  return nullptr;
}

template <class F32, size_t kColumns>
Finish* finish_for(const Result& y) {
  switch (y.activation) {
    case Activation::kNone:
      return finish_for<F32, kColumns, Activation::kNone>(y.kind);
    case Activation::kGeluErf:
      return finish_for<F32, kColumns, Activation::kGeluErf>(y.kind);
    case Activation::kGeluTanh:
      return finish_for<F32, kColumns, Activation::kGeluTanh>(y.kind);
    case Activation::kSilu:
      return finish_for<F32, kColumns, Activation::kSilu>(y.kind);
    case Activation::kRelu:
      return finish_for<F32, kColumns, Activation::kRelu>(y.kind);
  }
  return nullptr;
}

// Where the results of row `row` and the columns from `column` go.
[[maybe_unused]] inline char* result_at(const Result& y, size_t row, size_t column) {
  const size_t element = y.kind == ResultKind::kBf16 ? sizeof(uint16_t) : sizeof(float);
  return static_cast<char*>(y.data) + row * y.stride + column * element;
}

}  // namespace
}  // namespace gteway::kernels
