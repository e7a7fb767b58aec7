// Everything that sums over the dimensions of a row: dot product, cosine, L2 normalisation.
#include <immintrin.h>

#include <cmath>

#include "kernels/contract.hpp"

namespace gteway::kernels::avx512 {
namespace {

// Lanes of a group of 8 that lie before `remaining`.
inline __mmask8 lanes(size_t remaining) {
  return remaining >= 8 ? 0xff : static_cast<__mmask8>((1u << remaining) - 1);
}

inline __m512d multiply_add(const float* a, const float* b, __mmask8 mask, __m512d sum) {
  return _mm512_fmadd_pd(_mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, a)),
                         _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, b)), sum);
}

inline double sum_lanes(__m512d sum_f64x8) {
  const __m256d sum_f64x4 =
      _mm256_add_pd(_mm512_castpd512_pd256(sum_f64x8), _mm512_extractf64x4_pd(sum_f64x8, 1));
  const __m128d sum_f64x2 =
      _mm_add_pd(_mm256_castpd256_pd128(sum_f64x4), _mm256_extractf128_pd(sum_f64x4, 1));
  return _mm_cvtsd_f64(_mm_add_sd(sum_f64x2, _mm_unpackhi_pd(sum_f64x2, sum_f64x2)));
}

}  // namespace

double dot_f32(const float* a, const float* b, size_t dims) noexcept {
  // Partial sums 0-7, 8-15, 16-23, 24-31 of the contract's 32.
  __m512d s0 = _mm512_setzero_pd(), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 32 <= dims; i += 32) {
    s0 = multiply_add(a + i, b + i, 0xff, s0);
    s1 = multiply_add(a + i + 8, b + i + 8, 0xff, s1);
    s2 = multiply_add(a + i + 16, b + i + 16, 0xff, s2);
    s3 = multiply_add(a + i + 24, b + i + 24, 0xff, s3);
  }
  // Masked lanes add +0, which changes no partial sum: none is ever -0.
  const size_t rest = dims - i;
  if (rest > 0) s0 = multiply_add(a + i, b + i, lanes(rest), s0);
  if (rest > 8) s1 = multiply_add(a + i + 8, b + i + 8, lanes(rest - 8), s1);
  if (rest > 16) s2 = multiply_add(a + i + 16, b + i + 16, lanes(rest - 16), s2);
  if (rest > 24) s3 = multiply_add(a + i + 24, b + i + 24, lanes(rest - 24), s3);
  return sum_lanes(_mm512_add_pd(_mm512_add_pd(s0, s2), _mm512_add_pd(s1, s3)));
}

double cosine_f32(const float* a, const float* b, size_t dims) noexcept {
  const double aa = dot_f32(a, a, dims), bb = dot_f32(b, b, dims);
  if (aa == 0 || bb == 0) return 0;
  return dot_f32(a, b, dims) / std::sqrt(aa * bb);
}

void l2_normalize_f32(float* x, size_t dims) noexcept {
  const double norm = std::sqrt(dot_f32(x, x, dims));
  const __m512d scale = _mm512_set1_pd(1 / (norm < 1e-12 ? 1e-12 : norm));
  const auto step = [=](size_t i, __mmask8 mask) {
    const __m512d wide = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, x + i));
    _mm256_mask_storeu_ps(x + i, mask, _mm512_cvtpd_ps(_mm512_mul_pd(wide, scale)));
  };
  size_t i = 0;
  for (; i + 8 <= dims; i += 8) step(i, 0xff);
  if (i < dims) step(i, lanes(dims - i));
}

}  // namespace gteway::kernels::avx512
