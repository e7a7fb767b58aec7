// Everything that sums over the dimensions of a row: dot product, cosine, L2 normalisation.
#include <arm_neon.h>

#include <cmath>

#include "kernels/contract.hpp"

namespace gteway::kernels::neon {
namespace {

// Adds the products of 32 elements to the contract's 32 partial sums, two to a vector.
inline void multiply_add(const float* a, const float* b, float64x2_t sum_f64x2[16]) {
  for (int v = 0; v < 8; ++v) {
    const float32x4_t av = vld1q_f32(a + 4 * v), bv = vld1q_f32(b + 4 * v);
    sum_f64x2[2 * v] =
        vfmaq_f64(sum_f64x2[2 * v], vcvt_f64_f32(vget_low_f32(av)), vcvt_f64_f32(vget_low_f32(bv)));
    sum_f64x2[2 * v + 1] = vfmaq_f64(sum_f64x2[2 * v + 1], vcvt_high_f64_f32(av), vcvt_high_f64_f32(bv));
  }
}

}  // namespace

double dot_f32(const float* a, const float* b, size_t dims) noexcept {
  float64x2_t sum_f64x2[16];
  for (int v = 0; v < 16; ++v) sum_f64x2[v] = vdupq_n_f64(0);
  size_t i = 0;
  for (; i + 32 <= dims; i += 32) multiply_add(a + i, b + i, sum_f64x2);
  if (i < dims) {
    // The zeros behind the last elements add +0, which changes no partial sum: none is ever -0.
    float a_tail[32] = {}, b_tail[32] = {};
    for (size_t j = 0; i + j < dims; ++j) {
      a_tail[j] = a[i + j];
      b_tail[j] = b[i + j];
    }
    multiply_add(a_tail, b_tail, sum_f64x2);
  }
  for (int half = 8; half > 0; half /= 2)
    for (int v = 0; v < half; ++v) sum_f64x2[v] = vaddq_f64(sum_f64x2[v], sum_f64x2[v + half]);
  return vaddvq_f64(sum_f64x2[0]);
}

double cosine_f32(const float* a, const float* b, size_t dims) noexcept {
  const double aa = dot_f32(a, a, dims), bb = dot_f32(b, b, dims);
  if (aa == 0 || bb == 0) return 0;
  return dot_f32(a, b, dims) / std::sqrt(aa * bb);
}

void l2_normalize_f32(float* x, size_t dims) noexcept {
  const double norm = std::sqrt(dot_f32(x, x, dims));
  const double scale = 1 / (norm < 1e-12 ? 1e-12 : norm);
  size_t i = 0;
  for (; i + 4 <= dims; i += 4) {
    const float32x4_t value = vld1q_f32(x + i);
    const float32x2_t low = vcvt_f32_f64(vmulq_n_f64(vcvt_f64_f32(vget_low_f32(value)), scale));
    vst1q_f32(x + i, vcvt_high_f32_f64(low, vmulq_n_f64(vcvt_high_f64_f32(value), scale)));
  }
  for (; i < dims; ++i) x[i] = static_cast<float>(static_cast<double>(x[i]) * scale);
}

}  // namespace gteway::kernels::neon
