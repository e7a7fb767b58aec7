// What works on rows in float32: embedding and LayerNorm. Operands in other precisions are made where there
// are products for them.
#include <cmath>

#include "kernels/avx2/encoder_math.hpp"

namespace gteway::kernels::avx2 {

void normalize_rows_f32(float* x, size_t stride, size_t rows, size_t dims,
                        const LayerNormalization& norm) noexcept {
  const float count = static_cast<float>(dims);
  for (size_t r = 0; r < rows; ++r) {
    float* const row = row_of<float>(x, stride, r);
    __m256 sum[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    for (size_t d = 0; d < dims; d += 32)
      for (size_t i = 0; i < 4; ++i) sum[i] = _mm256_add_ps(sum[i], _mm256_loadu_ps(row + d + 8 * i));
    const __m256 mean = _mm256_set1_ps(
        sum_lanes(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3]))) / count);
    __m256 squares[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    for (size_t d = 0; d < dims; d += 32)
      for (size_t i = 0; i < 4; ++i) {
        const __m256 off = _mm256_sub_ps(_mm256_loadu_ps(row + d + 8 * i), mean);
        squares[i] = _mm256_fmadd_ps(off, off, squares[i]);
      }
    const float variance = sum_lanes(_mm256_add_ps(_mm256_add_ps(squares[0], squares[1]),
                                                   _mm256_add_ps(squares[2], squares[3]))) /
                           count;
    const __m256 scale = _mm256_set1_ps(1 / std::sqrt(variance + norm.epsilon));
    for (size_t d = 0; d < dims; d += 8) {
      const __m256 off = _mm256_sub_ps(_mm256_loadu_ps(row + d), mean);
      _mm256_storeu_ps(row + d, _mm256_fmadd_ps(_mm256_mul_ps(off, scale), _mm256_loadu_ps(norm.gamma + d),
                                                _mm256_loadu_ps(norm.beta + d)));
    }
  }
}

void embed_f32(const int32_t* ids, size_t tokens, const float* words, const float* positions, size_t dims,
               float* x, size_t stride) noexcept {
  for (size_t i = 0; i < tokens; ++i) {
    const float* const word = words + static_cast<size_t>(ids[i]) * dims;
    float* const row = row_of<float>(x, stride, i);
    for (size_t d = 0; d < dims; d += 8)
      _mm256_storeu_ps(row + d,
                       _mm256_add_ps(_mm256_loadu_ps(word + d), _mm256_loadu_ps(positions + i * dims + d)));
  }
}

}  // namespace gteway::kernels::avx2
