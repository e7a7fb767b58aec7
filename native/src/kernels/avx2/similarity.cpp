// Everything that sums over the dimensions of a row: dot product, cosine, L2 normalisation.
#include <immintrin.h>

#include <cmath>

#include "kernels/contract.hpp"

namespace gteway::kernels::avx2 {
namespace {

// Adds the products of 32 elements to the contract's 32 partial sums.
inline void multiply_add(const float* a, const float* b, __m256d sum_f64x4[8]) {
  for (int v = 0; v < 8; ++v)
    sum_f64x4[v] = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(a + 4 * v)),
                                   _mm256_cvtps_pd(_mm_loadu_ps(b + 4 * v)), sum_f64x4[v]);
}

}  // namespace

double dot_f32(const float* a, const float* b, size_t dims) noexcept {
  __m256d sum_f64x4[8];
  for (int v = 0; v < 8; ++v) sum_f64x4[v] = _mm256_setzero_pd();
  size_t i = 0;
  for (; i + 32 <= dims; i += 32) multiply_add(a + i, b + i, sum_f64x4);
  if (i < dims) {
    // The zeros behind the last elements add +0, which changes no partial sum: none is ever -0.
    float a_tail[32] = {}, b_tail[32] = {};
    for (size_t j = 0; i + j < dims; ++j) {
      a_tail[j] = a[i + j];
      b_tail[j] = b[i + j];
    }
    multiply_add(a_tail, b_tail, sum_f64x4);
  }
  for (int half = 4; half > 0; half /= 2)
    for (int v = 0; v < half; ++v) sum_f64x4[v] = _mm256_add_pd(sum_f64x4[v], sum_f64x4[v + half]);
  const __m128d sum_f64x2 =
      _mm_add_pd(_mm256_castpd256_pd128(sum_f64x4[0]), _mm256_extractf128_pd(sum_f64x4[0], 1));
  return _mm_cvtsd_f64(_mm_add_sd(sum_f64x2, _mm_unpackhi_pd(sum_f64x2, sum_f64x2)));
}

double cosine_f32(const float* a, const float* b, size_t dims) noexcept {
  const double aa = dot_f32(a, a, dims), bb = dot_f32(b, b, dims);
  if (aa == 0 || bb == 0) return 0;
  return dot_f32(a, b, dims) / std::sqrt(aa * bb);
}

void l2_normalize_f32(float* x, size_t dims) noexcept {
  const double norm = std::sqrt(dot_f32(x, x, dims));
  const double scale = 1 / (norm < 1e-12 ? 1e-12 : norm);
  const __m256d scale_f64x4 = _mm256_set1_pd(scale);
  size_t i = 0;
  for (; i + 4 <= dims; i += 4)
    _mm_storeu_ps(x + i, _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + i)), scale_f64x4)));
  for (; i < dims; ++i) x[i] = static_cast<float>(static_cast<double>(x[i]) * scale);
}

}  // namespace gteway::kernels::avx2
