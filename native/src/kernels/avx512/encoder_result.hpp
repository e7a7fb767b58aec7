// From sums to results: scale, bias, activation, and how they are stored. Internal to every file that
// includes it.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/encoder_math.hpp"

namespace gteway::kernels {
namespace {

template <Activation A>
inline __m512 activate(__m512 x) {
  if constexpr (A == Activation::kGeluErf) return gelu_erf(x);
  if constexpr (A == Activation::kGeluTanh) return gelu_tanh(x);
  return x;
}

template <ResultKind K>
inline void store(char* at, __m512 y) {
  if constexpr (K == ResultKind::kF32) _mm512_storeu_ps(at, y);
  if constexpr (K == ResultKind::kAddF32) _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), y));
  if constexpr (K == ResultKind::kBf16) _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), round_to_bf16(y));
}

template <Activation A, ResultKind K>
void finish(const float* sums, size_t rows, const float* scales, const float* biases, char* to,
            size_t stride) {
  constexpr size_t kHalf = K == ResultKind::kBf16 ? 32 : 64;
  const __m512 bias0 = _mm512_loadu_ps(biases), bias1 = _mm512_loadu_ps(biases + 16);
  const __m512 one = _mm512_set1_ps(1);
  const __m512 scale0 = scales ? _mm512_loadu_ps(scales) : one,
               scale1 = scales ? _mm512_loadu_ps(scales + 16) : one;
  for (size_t r = 0; r < rows; ++r, sums += kPanelColumns, to += stride) {
    store<K>(to, activate<A>(_mm512_fmadd_ps(_mm512_loadu_ps(sums), scale0, bias0)));
    store<K>(to + kHalf, activate<A>(_mm512_fmadd_ps(_mm512_loadu_ps(sums + 16), scale1, bias1)));
  }
}

// sums: [rows, 32], of the 32 columns from `column`. scales: of those columns, or null for 1.
using Finish = void(const float* sums, size_t rows, const float* scales, const float* biases, char* to,
                    size_t stride);

template <Activation A>
Finish* finish_for(ResultKind kind) {
  switch (kind) {
    case ResultKind::kF32:
      return finish<A, ResultKind::kF32>;
    case ResultKind::kAddF32:
      return finish<A, ResultKind::kAddF32>;
    case ResultKind::kBf16:
      return finish<A, ResultKind::kBf16>;
  }
  return nullptr;
}

[[maybe_unused]] Finish* finish_for(const Result& y) {
  switch (y.activation) {
    case Activation::kNone:
      return finish_for<Activation::kNone>(y.kind);
    case Activation::kGeluErf:
      return finish_for<Activation::kGeluErf>(y.kind);
    case Activation::kGeluTanh:
      return finish_for<Activation::kGeluTanh>(y.kind);
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
