#include "kernels/matrix.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernels.hpp"

namespace gteway::kernels {

static std::vector<double> squared_norms(const Table& kernels, const float* x, size_t rows, size_t dims) {
  std::vector<double> result(rows);
  for (size_t r = 0; r < rows; ++r) result[r] = kernels.dot_f32(x + r * dims, x + r * dims, dims);
  return result;
}

void similarity_matrix(const float* a, size_t rows_a, const float* b, size_t rows_b, size_t dims,
                       float* out) {
  const Table& kernels = active();
  const std::vector<double> aa = squared_norms(kernels, a, rows_a, dims);
  const std::vector<double> bb = squared_norms(kernels, b, rows_b, dims);
  // A block of b's rows stays in the second-level cache (half of the smallest of today's, 256 KiB) while
  // every row of a passes over it.
  const size_t row_bytes = std::max<size_t>(dims * sizeof(float), 1);
  const size_t block = std::max<size_t>(128 * 1024 / row_bytes, 1);
  for (size_t begin = 0; begin < rows_b; begin += block) {
    const size_t end = std::min(begin + block, rows_b);
    for (size_t i = 0; i < rows_a; ++i) {
      for (size_t j = begin; j < end; ++j) {
        const double product = aa[i] * bb[j];
        out[i * rows_b + j] =
            product == 0
                ? 0.0f
                : static_cast<float>(kernels.dot_f32(a + i * dims, b + j * dims, dims) / std::sqrt(product));
      }
    }
  }
}

void rows_to_bits(const float* x, size_t rows, size_t dims, uint8_t* out) {
  const Table& kernels = active();
  const size_t row_bytes = (dims + 7) / 8;
  for (size_t r = 0; r < rows; ++r) kernels.f32_to_bits(x + r * dims, dims, out + r * row_bytes);
}

}  // namespace gteway::kernels
