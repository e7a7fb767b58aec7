// Everything that sums over the dimensions of a row: dot product, cosine, L2 normalisation.
#include <cmath>

#include "kernels/contract.hpp"

namespace gteway::kernels::scalar {

double dot_f32(const float* a, const float* b, size_t dims) noexcept {
  double partial[32] = {};
  for (size_t i = 0; i < dims; ++i) partial[i % 32] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  for (size_t half = 16; half > 0; half /= 2)
    for (size_t j = 0; j < half; ++j) partial[j] += partial[j + half];
  return partial[0];
}

double cosine_f32(const float* a, const float* b, size_t dims) noexcept {
  const double aa = dot_f32(a, a, dims), bb = dot_f32(b, b, dims);
  if (aa == 0 || bb == 0) return 0;
  return dot_f32(a, b, dims) / std::sqrt(aa * bb);
}

void l2_normalize_f32(float* x, size_t dims) noexcept {
  const double norm = std::sqrt(dot_f32(x, x, dims));
  const double scale = 1 / (norm < 1e-12 ? 1e-12 : norm);
  for (size_t i = 0; i < dims; ++i) x[i] = static_cast<float>(static_cast<double>(x[i]) * scale);
}

}  // namespace gteway::kernels::scalar
