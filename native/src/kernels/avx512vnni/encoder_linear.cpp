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

// Adds one group's share to sums, [Rows, 32]: scale × Σ q_x q_w + offset × Σ q_w; stores it where it is the
// first.
template <int Rows>
void multiply_group(const char* x, size_t stride, const char* panel, size_t words,
                    const Quantization* quantization, size_t groups, const float* weight_sums, bool is_first,
                    float* sums) {
  __m512i product[Rows][2];
  multiply_panel<DotInt8, Rows>(x, stride, panel, words, product);
  const __m512 weights0 = _mm512_loadu_ps(weight_sums), weights1 = _mm512_loadu_ps(weight_sums + 16);
#pragma GCC unroll 14
  for (int r = 0; r < Rows; ++r) {
    float* const to = sums + r * static_cast<int>(kPanelColumns);
    const __m512 scale = _mm512_set1_ps(quantization->scale), offset = _mm512_set1_ps(quantization->offset);
    __m512 sum0 = _mm512_mul_ps(offset, weights0), sum1 = _mm512_mul_ps(offset, weights1);
    sum0 = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(product[r][0]), sum0);
    sum1 = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(product[r][1]), sum1);
    if (!is_first) {
      sum0 = _mm512_add_ps(sum0, _mm512_load_ps(to));
      sum1 = _mm512_add_ps(sum1, _mm512_load_ps(to + 16));
    }
    _mm512_store_ps(to, sum0);
    _mm512_store_ps(to + 16, sum1);
    quantization += groups;
  }
}

using MultiplyGroup = void(const char*, size_t, const char*, size_t, const Quantization*, size_t,
                           const float*, bool, float*);
constexpr MultiplyGroup* kMultiplyGroup[kBlockRows + 1] = {
    nullptr,
    multiply_group<1>,
    multiply_group<2>,
    multiply_group<3>,
    multiply_group<4>,
    multiply_group<5>,
    multiply_group<6>,
    multiply_group<7>,
    multiply_group<8>,
    multiply_group<9>,
    multiply_group<10>,
    multiply_group<11>,
    multiply_group<12>,
    multiply_group<13>,
    multiply_group<14>,
};

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
  alignas(64) float sums[kBlockRows * kPanelColumns];
  for (size_t column = first; column < first + columns; column += kPanelColumns) {
    const char* const panel = row_of<char>(packed, shape.in, column);
    const float* const scales = at.scales_in(packed) + column;
    for (size_t block = 0; block < blocks.count; ++block) {
      const size_t row = blocks.begin(block), height = blocks.begin(block + 1) - row;
      for (size_t g = 0, k = 0; g < groups; ++g, k += shape.group) {
        const size_t inputs = k + shape.group < shape.in ? shape.group : shape.in - k;
        kMultiplyGroup[height](row_of<char>(x.data, x.stride, row) + k, x.stride, panel + k * kPanelColumns,
                               inputs / 4, x.quantization + row * groups + g, groups,
                               scales + (2 + g) * at.out, g == 0, sums);
      }
      finish(sums, height, scales, scales + at.out, result_at(y, row, column), y.stride);
    }
  }
}

}  // namespace gteway::kernels::avx512vnni
