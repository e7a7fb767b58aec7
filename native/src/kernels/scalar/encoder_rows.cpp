// What works on rows: embedding, LayerNorm, and rows as operands of a product.
#include <cmath>

#include "kernels/scalar/encoder_numbers.hpp"

namespace gteway::kernels::scalar {
namespace {

void normalize(float* x, size_t dims, const LayerNormalization& norm) {
  double sum = 0, squares = 0;
  for (size_t d = 0; d < dims; ++d) sum += x[d];
  const double mean = sum / static_cast<double>(dims);
  for (size_t d = 0; d < dims; ++d) squares += (x[d] - mean) * (x[d] - mean);
  const double scale = 1 / std::sqrt(squares / static_cast<double>(dims) + norm.epsilon);
  for (size_t d = 0; d < dims; ++d)
    x[d] = static_cast<float>((x[d] - mean) * scale * norm.gamma[d] + norm.beta[d]);
}

void quantize(const float* x, size_t dims, size_t group, uint8_t* q, Quantization* quantization) {
  for (size_t first = 0; first < dims; first += group, ++quantization) {
    const size_t end = first + group < dims ? first + group : dims;
    float least = x[first], most = x[first], poison = 0;  // NaN as soon as one x is not finite
    for (size_t d = first; d < end; ++d) {
      least = x[d] < least ? x[d] : least;
      most = x[d] > most ? x[d] : most;
      poison += x[d] * 0;
    }
    const float range = most - least;
    const float to_q = range > 0 ? 255 / range : 0;
    for (size_t d = first; d < end; ++d) {
      const float scaled = std::nearbyint((x[d] - least) * to_q);
      q[d] = static_cast<uint8_t>(scaled >= 0 && scaled <= 255 ? scaled : 0);
    }
    *quantization = {.scale = range / 255 + poison, .offset = least};
  }
}

template <class T, float (*Widen)(T)>
void embed(const int32_t* ids, size_t tokens, const T* words, const float* positions, size_t dims, float* x,
           size_t stride) {
  for (size_t i = 0; i < tokens; ++i) {
    const T* const word = words + static_cast<size_t>(ids[i]) * dims;
    float* const row = row_of<float>(x, stride, i);
    for (size_t d = 0; d < dims; ++d) row[d] = Widen(word[d]) + positions[i * dims + d];
  }
}

float same(float x) { return x; }

template <class T, float (*Widen)(T), T (*Narrow)(float)>
void turn(T* x, size_t stride, size_t rows, size_t heads, size_t head_size, const float* turns) {
  const size_t half = head_size / 2;
  for (size_t r = 0; r < rows; ++r, turns += head_size)
    for (size_t h = 0; h < heads; ++h) {
      T* const head = row_of<T>(x, stride, r) + h * head_size;
      for (size_t d = 0; d < half; ++d) {
        const float a = Widen(head[d]), b = Widen(head[d + half]);
        head[d] = Narrow(a * turns[d] - b * turns[half + d]);
        head[d + half] = Narrow(b * turns[d] + a * turns[half + d]);
      }
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
    for (size_t d = 0; d < dims; ++d) row_of<uint16_t>(to.data, to.stride, r)[d] = to_bf16(row[d]);
  }
}

void quantize_u8(const float* x, size_t stride, size_t rows, size_t dims, size_t group,
                 const Operand& to) noexcept {
  const size_t groups = groups_of(dims, group);
  for (size_t r = 0; r < rows; ++r)
    quantize(row_of<float>(x, stride, r), dims, group, row_of<uint8_t>(to.data, to.stride, r),
             to.quantization + r * groups);
}

void normalize_rows_u8(float* x, size_t stride, size_t rows, size_t dims, const LayerNormalization& norm,
                       size_t group, const Operand& to) noexcept {
  normalize_rows_f32(x, stride, rows, dims, norm);
  quantize_u8(x, stride, rows, dims, group, to);
}

void embed_f32(const int32_t* ids, size_t tokens, const float* words, const float* positions, size_t dims,
               float* x, size_t stride) noexcept {
  embed<float, same>(ids, tokens, words, positions, dims, x, stride);
}

void embed_bf16(const int32_t* ids, size_t tokens, const uint16_t* words, const float* positions, size_t dims,
                float* x, size_t stride) noexcept {
  embed<uint16_t, from_bf16>(ids, tokens, words, positions, dims, x, stride);
}

void turn_heads_f32(float* x, size_t stride, size_t rows, size_t heads, size_t head_size,
                    const float* turns) noexcept {
  turn<float, same, same>(x, stride, rows, heads, head_size, turns);
}

void turn_heads_bf16(uint16_t* x, size_t stride, size_t rows, size_t heads, size_t head_size,
                     const float* turns) noexcept {
  turn<uint16_t, from_bf16, to_bf16>(x, stride, rows, heads, head_size, turns);
}

}  // namespace gteway::kernels::scalar
