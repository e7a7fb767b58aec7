#include <arm_neon.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::neon {
namespace {

// The mean of columns [0, 4 × kVectors) of x, whose sums stay in registers over all the rows.
template <int kVectors>
inline void pool_columns(const float* x, size_t rows, size_t stride, float64x2_t count, float* out) {
  float64x2_t low_f64x2[kVectors], high_f64x2[kVectors];
  for (int v = 0; v < kVectors; ++v) low_f64x2[v] = high_f64x2[v] = vdupq_n_f64(0);
  for (size_t r = 0; r < rows; ++r, x += stride)
    for (int v = 0; v < kVectors; ++v) {
      const float32x4_t value = vld1q_f32(x + 4 * v);
      low_f64x2[v] = vaddq_f64(low_f64x2[v], vcvt_f64_f32(vget_low_f32(value)));
      high_f64x2[v] = vaddq_f64(high_f64x2[v], vcvt_high_f64_f32(value));
    }
  for (int v = 0; v < kVectors; ++v) {
    const float32x2_t low = vcvt_f32_f64(vdivq_f64(low_f64x2[v], count));
    vst1q_f32(out + 4 * v, vcvt_high_f32_f64(low, vdivq_f64(high_f64x2[v], count)));
  }
}

}  // namespace

void pool_mean_f32(const float* x, size_t rows, size_t stride, size_t dims, float* out) noexcept {
  const float64x2_t count = vdupq_n_f64(static_cast<double>(rows));
  size_t d = 0;
  for (; d + 32 <= dims; d += 32) pool_columns<8>(x + d, rows, stride, count, out + d);
  for (; d + 4 <= dims; d += 4) pool_columns<1>(x + d, rows, stride, count, out + d);
  for (; d < dims; ++d) {
    double sum = 0;
    for (size_t r = 0; r < rows; ++r) sum += static_cast<double>(x[r * stride + d]);
    out[d] = static_cast<float>(sum / static_cast<double>(rows));
  }
}

}  // namespace gteway::kernels::neon
