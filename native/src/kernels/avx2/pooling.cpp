#include <immintrin.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::avx2 {
namespace {

// The mean of columns [0, 4 × kVectors) of x, whose sums stay in registers over all the rows.
template <int kVectors>
inline void pool_columns(const float* x, size_t rows, size_t stride, __m256d count, float* out) {
  __m256d sum_f64x4[kVectors];
  for (int v = 0; v < kVectors; ++v) sum_f64x4[v] = _mm256_setzero_pd();
  for (size_t r = 0; r < rows; ++r, x += stride)
    for (int v = 0; v < kVectors; ++v)
      sum_f64x4[v] = _mm256_add_pd(sum_f64x4[v], _mm256_cvtps_pd(_mm_loadu_ps(x + 4 * v)));
  for (int v = 0; v < kVectors; ++v)
    _mm_storeu_ps(out + 4 * v, _mm256_cvtpd_ps(_mm256_div_pd(sum_f64x4[v], count)));
}

}  // namespace

void pool_mean_f32(const float* x, size_t rows, size_t stride, size_t dims, float* out) noexcept {
  const __m256d count = _mm256_set1_pd(static_cast<double>(rows));
  size_t d = 0;
  for (; d + 32 <= dims; d += 32) pool_columns<8>(x + d, rows, stride, count, out + d);
  for (; d + 4 <= dims; d += 4) pool_columns<1>(x + d, rows, stride, count, out + d);
  for (; d < dims; ++d) {
    double sum = 0;
    for (size_t r = 0; r < rows; ++r) sum += static_cast<double>(x[r * stride + d]);
    out[d] = static_cast<float>(sum / static_cast<double>(rows));
  }
}

}  // namespace gteway::kernels::avx2
