#include "kernels/contract.hpp"

namespace gteway::kernels::scalar {

void pool_mean_f32(const float* x, size_t rows, size_t stride, size_t dims, float* out) noexcept {
  const double count = static_cast<double>(rows);
  for (size_t d = 0; d < dims; ++d) {
    double sum = 0;
    for (size_t r = 0; r < rows; ++r) sum += static_cast<double>(x[r * stride + d]);
    out[d] = static_cast<float>(sum / count);
  }
}

void pool_rows_f32(const float* table, const uint32_t* rows, const float* scales, size_t count, size_t dims,
                   float* out) noexcept {
  for (size_t d = 0; d < dims; ++d) {
    double sum = 0;
    for (size_t r = 0; r < count; ++r) {
      const double scale = scales == nullptr ? 1 : static_cast<double>(scales[r]);
      sum += static_cast<double>(table[rows[r] * dims + d]) * scale;
    }
    out[d] = static_cast<float>(sum / static_cast<double>(count));
  }
}

}  // namespace gteway::kernels::scalar
