#include <immintrin.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::avx512 {
namespace {

// The mean of columns [0, 8 × kVectors) of x, whose sums stay in registers over all the rows.
template <int kVectors>
inline void pool_columns(const float* x, size_t rows, size_t stride, __m512d count, float* out) {
  __m512d sum_f64x8[kVectors];
  for (int v = 0; v < kVectors; ++v) sum_f64x8[v] = _mm512_setzero_pd();
  for (size_t r = 0; r < rows; ++r, x += stride)
    for (int v = 0; v < kVectors; ++v)
      sum_f64x8[v] = _mm512_add_pd(sum_f64x8[v], _mm512_cvtps_pd(_mm256_loadu_ps(x + 8 * v)));
  for (int v = 0; v < kVectors; ++v)
    _mm256_storeu_ps(out + 8 * v, _mm512_cvtpd_ps(_mm512_div_pd(sum_f64x8[v], count)));
}

}  // namespace

void pool_mean_f32(const float* x, size_t rows, size_t stride, size_t dims, float* out) noexcept {
  const __m512d count = _mm512_set1_pd(static_cast<double>(rows));
  size_t d = 0;
  for (; d + 128 <= dims; d += 128) pool_columns<16>(x + d, rows, stride, count, out + d);
  for (; d + 32 <= dims; d += 32) pool_columns<4>(x + d, rows, stride, count, out + d);
  for (; d + 8 <= dims; d += 8) pool_columns<1>(x + d, rows, stride, count, out + d);
  if (d == dims) return;

  const __mmask8 tail = static_cast<__mmask8>((1u << (dims - d)) - 1);
  __m512d sum_f64x8 = _mm512_setzero_pd();
  for (size_t r = 0; r < rows; ++r)
    sum_f64x8 = _mm512_add_pd(sum_f64x8, _mm512_cvtps_pd(_mm256_maskz_loadu_ps(tail, x + r * stride + d)));
  _mm256_mask_storeu_ps(out + d, tail, _mm512_cvtpd_ps(_mm512_div_pd(sum_f64x8, count)));
}

}  // namespace gteway::kernels::avx512
