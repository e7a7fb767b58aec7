// What works on rows: embedding, LayerNorm, and rows as operands of a product.
#include <cmath>

#include "kernels/avx512/encoder_math.hpp"

namespace gteway::kernels::avx512 {
namespace {

// Sums in two registers of 16 lanes, however the row is reached.
void normalize(float* x, size_t dims, const LayerNormalization& norm) {
  __m512 sum0 = _mm512_setzero_ps(), sum1 = _mm512_setzero_ps();
  for (size_t d = 0; d < dims; d += 32) {
    sum0 = _mm512_add_ps(sum0, _mm512_loadu_ps(x + d));
    sum1 = _mm512_add_ps(sum1, _mm512_loadu_ps(x + d + 16));
  }
  const float count = static_cast<float>(dims);
  const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1)) / count);
  __m512 squares0 = _mm512_setzero_ps(), squares1 = _mm512_setzero_ps();
  for (size_t d = 0; d < dims; d += 32) {
    const __m512 off0 = _mm512_sub_ps(_mm512_loadu_ps(x + d), mean);
    const __m512 off1 = _mm512_sub_ps(_mm512_loadu_ps(x + d + 16), mean);
    squares0 = _mm512_fmadd_ps(off0, off0, squares0);
    squares1 = _mm512_fmadd_ps(off1, off1, squares1);
  }
  const float variance = _mm512_reduce_add_ps(_mm512_add_ps(squares0, squares1)) / count;
  const __m512 scale = _mm512_set1_ps(1 / std::sqrt(variance + norm.epsilon));
  for (size_t d = 0; d < dims; d += 16) {
    const __m512 off = _mm512_sub_ps(_mm512_loadu_ps(x + d), mean);
    _mm512_storeu_ps(x + d, _mm512_fmadd_ps(_mm512_mul_ps(off, scale), _mm512_loadu_ps(norm.gamma + d),
                                            _mm512_loadu_ps(norm.beta + d)));
  }
}

void quantize(const float* x, size_t dims, size_t group, uint8_t* q, Quantization* quantization) {
  for (size_t first = 0; first < dims; first += group, ++quantization) {
    const size_t end = first + group < dims ? first + group : dims;
    __m512 least0 = _mm512_loadu_ps(x + first), most0 = least0, poison = _mm512_setzero_ps();
    __m512 least1 = _mm512_loadu_ps(x + first + 16), most1 = least1;
    for (size_t d = first; d < end; d += 32) {
      const __m512 x0 = _mm512_loadu_ps(x + d), x1 = _mm512_loadu_ps(x + d + 16);
      least0 = _mm512_min_ps(least0, x0);
      least1 = _mm512_min_ps(least1, x1);
      most0 = _mm512_max_ps(most0, x0);
      most1 = _mm512_max_ps(most1, x1);
      poison = _mm512_fmadd_ps(_mm512_add_ps(x0, x1), _mm512_setzero_ps(), poison);
    }
    const float least = _mm512_reduce_min_ps(_mm512_min_ps(least0, least1));
    const float range = _mm512_reduce_max_ps(_mm512_max_ps(most0, most1)) - least;
    const __m512 to_q = _mm512_set1_ps(range > 0 ? 255 / range : 0);
    const __m512 offset = _mm512_set1_ps(least);
    for (size_t d = first; d < end; d += 16) {
      const __m512i y =
          _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + d), offset), to_q));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(q + d), _mm512_cvtusepi32_epi8(y));
    }
    *quantization = {.scale = range / 255 + _mm512_reduce_add_ps(poison), .offset = least};
  }
}

}  // namespace

void normalize_rows_f32(float* x, size_t stride, size_t rows, size_t dims,
                        const LayerNormalization& norm) noexcept {
  for (size_t r = 0; r < rows; ++r) normalize(row_of<float>(x, stride, r), dims, norm);
}

void normalize_rows_bf16(float* x, size_t stride, size_t rows, size_t dims, const LayerNormalization& norm,
                         const Operand& to) noexcept {
  for (size_t r = 0; r < rows; ++r) {
    float* const row = row_of<float>(x, stride, r);
    normalize(row, dims, norm);
    uint16_t* const rounded = row_of<uint16_t>(to.data, to.stride, r);
    for (size_t d = 0; d < dims; d += 16)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(rounded + d), round_to_bf16(_mm512_loadu_ps(row + d)));
  }
}

void normalize_rows_u8(float* x, size_t stride, size_t rows, size_t dims, const LayerNormalization& norm,
                       size_t group, const Operand& to) noexcept {
  const size_t groups = (dims + group - 1) / group;
  for (size_t r = 0; r < rows; ++r) {
    float* const row = row_of<float>(x, stride, r);
    normalize(row, dims, norm);
    quantize(row, dims, group, row_of<uint8_t>(to.data, to.stride, r), to.quantization + r * groups);
  }
}

void quantize_u8(const float* x, size_t stride, size_t rows, size_t dims, size_t group,
                 const Operand& to) noexcept {
  const size_t groups = (dims + group - 1) / group;
  for (size_t r = 0; r < rows; ++r)
    quantize(row_of<float>(x, stride, r), dims, group, row_of<uint8_t>(to.data, to.stride, r),
             to.quantization + r * groups);
}

void embed_f32(const int32_t* ids, size_t tokens, const float* words, const float* positions, size_t dims,
               float* x, size_t stride) noexcept {
  for (size_t i = 0; i < tokens; ++i) {
    const float* const word = words + static_cast<size_t>(ids[i]) * dims;
    float* const row = row_of<float>(x, stride, i);
    for (size_t d = 0; d < dims; d += 16)
      _mm512_storeu_ps(row + d,
                       _mm512_add_ps(_mm512_loadu_ps(word + d), _mm512_loadu_ps(positions + i * dims + d)));
  }
}

void embed_bf16(const int32_t* ids, size_t tokens, const uint16_t* words, const float* positions, size_t dims,
                float* x, size_t stride) noexcept {
  for (size_t i = 0; i < tokens; ++i) {
    const uint16_t* const word = words + static_cast<size_t>(ids[i]) * dims;
    float* const row = row_of<float>(x, stride, i);
    for (size_t d = 0; d < dims; d += 16) {
      const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(word + d));
      const __m512 wide = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
      _mm512_storeu_ps(row + d, _mm512_add_ps(wide, _mm512_loadu_ps(positions + i * dims + d)));
    }
  }
}

}  // namespace gteway::kernels::avx512
