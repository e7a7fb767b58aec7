// Linear layers in 8 bits: unsigned inputs, quantised per row and group, signed weights, quantised per
// column.
//
// Packed: panels [in / 4, 32 columns, 4] of int8, then, each [out] float32, the columns' scales, their
// biases, and for each group the sums of its quantised weights.
#include "kernels/avx512/encoder_product.hpp"
#include "kernels/avx512/encoder_result.hpp"

namespace gteway::kernels::avx512vnni {
namespace {

struct DotInt8 {
  using Sum = __m512i;
  static Sum zero() { return _mm512_setzero_si512(); }
  static Sum add(Sum sum, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(sum, a, b); }
  static void store(float* to, Sum sum) { _mm512_storeu_si512(to, sum); }
};

size_t groups_of(const LinearShape& shape) { return (shape.in + shape.group - 1) / shape.group; }

struct Layout {
  explicit Layout(const LinearShape& shape)
      : out(shape.out),
        scales(shape.out * shape.in),
        bytes(scales + round_up((2 + groups_of(shape)) * out * 4, 64)) {}
  float* scales_in(void* packed) const { return row_of<float>(packed, scales, 1); }
  const float* scales_in(const void* packed) const { return row_of<float>(packed, scales, 1); }
  size_t out, scales, bytes;
};

// Adds one group's share to sums, [rows, 32]: scale × Σ q_x q_w + offset × Σ q_w; stores it where it is the
// first. `products` holds int32 in place of the float32 it is declared as.
template <bool IsFirst>
void add_group(const float* products, size_t rows, const Quantization* quantization, size_t groups,
               const float* weight_sums, float* sums) {
  const __m512 weights[2] = {_mm512_loadu_ps(weight_sums), _mm512_loadu_ps(weight_sums + 16)};
  for (size_t r = 0; r < rows; ++r, quantization += groups) {
    const __m512 scale = _mm512_set1_ps(quantization->scale), offset = _mm512_set1_ps(quantization->offset);
    for (size_t half = 0; half < 2; ++half) {
      const size_t at = r * kPanelColumns + 16 * half;
      const __m512 product = _mm512_cvtepi32_ps(_mm512_load_si512(products + at));
      __m512 sum = _mm512_fmadd_ps(scale, product, _mm512_mul_ps(offset, weights[half]));
      if constexpr (!IsFirst) sum = _mm512_add_ps(sum, _mm512_load_ps(sums + at));
      _mm512_store_ps(sums + at, sum);
    }
  }
}

// The largest magnitude of a column's weights; NaN where one of them is not finite.
float largest_of(const float* x, size_t count) {
  __m512 most = _mm512_setzero_ps(), poison = _mm512_setzero_ps();
  for (size_t i = 0; i < count; i += 16) {
    const __m512 value = _mm512_loadu_ps(x + i);
    most = _mm512_max_ps(most, _mm512_abs_ps(value));
    poison = _mm512_fmadd_ps(value, _mm512_setzero_ps(), poison);
  }
  return _mm512_reduce_max_ps(most) + _mm512_reduce_add_ps(poison);
}

}  // namespace

size_t packed_bytes_int8(const LinearShape& shape) noexcept { return Layout(shape).bytes; }

void pack_linear_int8(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                      size_t columns, void* packed) noexcept {
  const Layout at(shape);
  for (size_t j = 0; j < columns; ++j) {
    const size_t column = first + j;
    const float* const from = weight + j * shape.in;
    int8_t* const to = static_cast<int8_t*>(packed) + column / kPanelColumns * kPanelColumns * shape.in +
                       column % kPanelColumns * 4;
    const float largest = largest_of(from, shape.in);
    const __m512 to_q = _mm512_set1_ps(largest > 0 ? 127 / largest : 0);
    float* const scales = at.scales_in(packed) + column;
    scales[0] = largest / 127;
    scales[at.out] = bias[j];
    for (size_t k = 0; k < shape.in;) {
      const size_t group = k / shape.group, end = k + shape.group < shape.in ? k + shape.group : shape.in;
      __m512i sum = _mm512_setzero_si512();
      for (; k < end; k += 16) {
        const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(from + k), to_q));
        sum = _mm512_add_epi32(sum, q);
        alignas(16) int32_t words[4];
        _mm_store_si128(reinterpret_cast<__m128i*>(words), _mm512_cvtsepi32_epi8(q));
        for (size_t i = 0; i < 4; ++i)
          *reinterpret_cast<int32_t*>(to + (k / 4 + i) * kPanelColumns * 4) = words[i];
      }
      scales[(2 + group) * at.out] = static_cast<float>(_mm512_reduce_add_epi32(sum));
    }
  }
}

void linear_int8(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                 size_t columns, const Result& y) noexcept {
  if (rows == 0) return;
  Finish* const finish = finish_for(y);
  const Layout at(shape);
  const RowBlocks blocks(rows);
  const size_t groups = groups_of(shape);
  const size_t step = (128 + blocks.count - 1) / blocks.count;
  alignas(64) float products[kBlockRows * kPanelColumns], sums[kBlockRows * kPanelColumns];
  for (size_t column = first; column < first + columns; column += kPanelColumns) {
    const char* const panel = row_of<char>(packed, shape.in, column);
    const float* const scales = at.scales_in(packed) + column;
    for (size_t block = 0; block < blocks.count; ++block) {
      const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
      for (size_t g = 0, k = 0; g < groups; ++g, k += shape.group) {
        const size_t inputs = k + shape.group < shape.in ? shape.group : shape.in - k;
        kMultiplyRows<DotInt8>[height](
            row_of<char>(x.data, x.stride, row) + k, x.stride, panel + k * kPanelColumns, inputs / 4,
            products, kPanelColumns,
            {panel + (shape.in + k) * kPanelColumns + inputs * kPanelColumns * block / blocks.count, step});
        const Quantization* const quantization = x.quantization + row * groups + g;
        const float* const weight_sums = scales + (2 + g) * at.out;
        if (g == 0)
          add_group<true>(products, height, quantization, groups, weight_sums, sums);
        else
          add_group<false>(products, height, quantization, groups, weight_sums, sums);
      }
      finish(sums, height, scales, scales + at.out, result_at(y, row, column), y.stride);
    }
  }
}

}  // namespace gteway::kernels::avx512vnni
