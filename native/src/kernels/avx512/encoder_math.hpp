// Elementary functions of the encoder on 16 lanes. Internal to every file that includes it.
#pragma once

#include <immintrin.h>

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
[[maybe_unused]] inline __m512 polynomial(__m512 t, const float (&c)[N]) {
  __m512 sum = _mm512_set1_ps(c[N - 1]);
#pragma GCC unroll 16
  for (int i = static_cast<int>(N) - 2; i >= 0; --i) sum = _mm512_fmadd_ps(sum, t, _mm512_set1_ps(c[i]));
  return sum;
}

// 2^x for x ≤ 0, relative error 2e-7; below 2^-126 it stays there. NaN stays NaN.
[[maybe_unused]] inline __m512 exp2_of_negative(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-126), x);  // of two operands, the second is what NaN leaves
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_scalef_ps(polynomial(_mm512_sub_ps(x, whole), kExp2Polynomial), whole);
}

// See kBumpPolynomial.
[[maybe_unused]] inline __m512 gelu_erf(__m512 x) {
  const __m512 a = _mm512_min_ps(_mm512_set1_ps(kBumpEnd), _mm512_abs_ps(x));
  const __m512 t = _mm512_fmsub_ps(a, _mm512_set1_ps(2 / kBumpEnd), _mm512_set1_ps(1));
  return _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), polynomial(t, kBumpPolynomial));
}

// x / (1 + 2^-z), by 2^-|z|, which cannot overflow. See kTanhLinear.
[[maybe_unused]] inline __m512 gelu_tanh(__m512 x) {
  const __m512 square = _mm512_mul_ps(x, x);
  const __m512 z =
      _mm512_mul_ps(x, _mm512_fmadd_ps(square, _mm512_set1_ps(kTanhCubic), _mm512_set1_ps(kTanhLinear)));
  const __m512 e = exp2_of_negative(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_abs_ps(z)));
  const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 over = _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1), e));
  return _mm512_mask_mul_ps(over, negative, over, e);
}

// Rounded to nearest even; a NaN stays one.
[[maybe_unused]] inline __m256i round_to_bf16(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, nan, quiet), 16));
}

}  // namespace
}  // namespace gteway::kernels
