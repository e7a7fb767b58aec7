// int8 weights with a scale per column, unsigned 8-bit activations with a scale and an offset per row and
// group, summed exactly in int32 by TDPBUSD.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/amx/linear.hpp"
#include "kernels/amx/tiles.hpp"
#include "kernels/avx512/transpose.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_layout.hpp"

namespace gteway::kernels::amx {
namespace {

constexpr size_t kDepth = 64;  // inputs of a step

// Panels as for bfloat16, but a step for every 64 inputs (the last one's missing inputs are zeros, so what
// follows a row of activations does not count), and row i of a tile has inputs 4 i to 4 i + 3. Behind all
// panels, float32 each: scales [out], biases [out], sums of the weights of each group [groups, out].
struct Layout {
  explicit Layout(const LinearShape& shape)
      : groups(groups_of(shape.in, shape.group)),
        panel_bytes(round_up(shape.in, kDepth) / kDepth * kStepBytes),
        scales(shape.out / kPanelColumns * panel_bytes),
        biases(scales + round_up(shape.out * sizeof(float), 64)),
        sums(biases + round_up(shape.out * sizeof(float), 64)),
        bytes(sums + round_up(shape.out * groups * sizeof(float), 64)) {}
  size_t groups;
  size_t panel_bytes;
  size_t scales, biases, sums;  // where they begin
  size_t bytes;
};

template <Activation kActivation>
struct Layer {
  using Product = ProductU8I8;
  const uint8_t* packed;
  const float* scales;
  const float* biases;
  const float* weight_sums;
  size_t out;
  size_t groups;
  size_t steps_in_group, steps_in_last;
  size_t panel_bytes;
  const Quantization* quantization;
  float* totals;  // [32, 32] of the pending block, groups so far; unused where there is one group
  Result y;

  size_t steps(size_t group) const { return group + 1 < groups ? steps_in_group : steps_in_last; }
  const uint8_t* panel(size_t column) const { return packed + column / kPanelColumns * panel_bytes; }

  void finish(const uint8_t* sums, size_t row, size_t column, size_t group) const {
    const Quantization& of = quantization[row * groups + group];
    const __m512 scale = _mm512_set1_ps(of.scale), offset = _mm512_set1_ps(of.offset);
    const float* const all = weight_sums + group * out + column;
    __m512 low = _mm512_mul_ps(offset, _mm512_loadu_ps(all));
    __m512 high = _mm512_mul_ps(offset, _mm512_loadu_ps(all + 16));
    low = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(_mm512_load_si512(sums)), low);
    high = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(_mm512_load_si512(sums + 64)), high);
    float* const total = totals + row % kBlockRows * kPanelColumns;
    if (group > 0) {
      low = _mm512_add_ps(_mm512_load_ps(total), low);
      high = _mm512_add_ps(_mm512_load_ps(total + 16), high);
    }
    if (group + 1 < groups) {
      _mm512_store_ps(total, low);
      _mm512_store_ps(total + 16, high);
      return;
    }
    store_result<kActivation>(
        y, row, column,
        _mm512_fmadd_ps(low, _mm512_loadu_ps(scales + column), _mm512_loadu_ps(biases + column)),
        _mm512_fmadd_ps(high, _mm512_loadu_ps(scales + column + 16), _mm512_loadu_ps(biases + column + 16)));
  }
};

struct Column {
  float to_q;   // 127 / max |w|, or 0
  float scale;  // max |w| / 127; NaN where a weight is
};

Column column_of(const float* weight, size_t in) {
  __m512 largest = _mm512_setzero_ps();
  __mmask16 nan = 0;
  for (size_t k = 0; k < in; k += 16) {
    const __m512 w = _mm512_loadu_ps(weight + k);
    nan = static_cast<__mmask16>(nan | _mm512_cmp_ps_mask(w, w, _CMP_UNORD_Q));
    largest = _mm512_max_ps(_mm512_abs_ps(w), largest);
  }
  const float most = nan != 0 ? __builtin_nanf("") : _mm512_reduce_max_ps(largest);
  return {.to_q = most > 0 ? 127 / most : 0, .scale = most / 127};
}

// 16 weights as int8; what is no number in range becomes 0.
__m128i quantize(const float* weight, float to_q) {
  const __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(weight), _mm512_set1_ps(to_q));
  const __m512 rounded = _mm512_roundscale_ps(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __mmask16 in_range = _mm512_cmp_ps_mask(_mm512_abs_ps(rounded), _mm512_set1_ps(127), _CMP_LE_OQ);
  return _mm512_cvtepi32_epi8(_mm512_maskz_cvtps_epi32(in_range, rounded));
}

int32_t sum_of(const uint8_t* bytes, size_t count) {
  int32_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += static_cast<int8_t>(bytes[i]);
  return sum;
}

}  // namespace

size_t packed_bytes_int8(const LinearShape& shape) noexcept { return Layout(shape).bytes; }

void pack_linear_int8(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                      size_t columns, void* packed) noexcept {
  const Layout at(shape);
  auto* const bytes = static_cast<uint8_t*>(packed);
  auto* const scales = reinterpret_cast<float*>(bytes + at.scales);
  auto* const biases = reinterpret_cast<float*>(bytes + at.biases);
  auto* const weight_sums = reinterpret_cast<float*>(bytes + at.sums);
  for (size_t j = 0; j < columns; j += 16) {
    const size_t column = first + j;
    float to_q[16];
    for (size_t c = 0; c < 16; ++c) {
      const Column scaling = column_of(weight + (j + c) * shape.in, shape.in);
      to_q[c] = scaling.to_q;
      scales[column + c] = scaling.scale;
      biases[column + c] = bias[j + c];
      for (size_t group = 0; group < at.groups; ++group) weight_sums[group * shape.out + column + c] = 0;
    }
    uint8_t* tile =
        bytes + column / kPanelColumns * at.panel_bytes + column % kPanelColumns / 16 * kTileBytes;
    for (size_t k = 0; k < shape.in; k += kDepth, tile += kStepBytes) {
      alignas(64) uint8_t q[16][64] = {};
      const size_t depth = shape.in - k < kDepth ? shape.in - k : kDepth;
      for (size_t c = 0; c < 16; ++c) {
        const float* const from = weight + (j + c) * shape.in + k;
        for (size_t i = 0; i < depth; i += 16)
          _mm_store_si128(reinterpret_cast<__m128i*>(q[c] + i), quantize(from + i, to_q[c]));
        weight_sums[k / shape.group * shape.out + column + c] += static_cast<float>(sum_of(q[c], depth));
      }
      __m512i rows[16];
      for (size_t c = 0; c < 16; ++c) rows[c] = _mm512_load_si512(q[c]);
      avx512::transpose(rows);
      for (size_t i = 0; i < 16; ++i) _mm512_store_si512(tile + 64 * i, rows[i]);
    }
  }
}

void linear_int8(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                 size_t columns, const Result& y) noexcept {
  alignas(64) float totals[kBlockRows * kPanelColumns];
  const Layout at(shape);
  const auto* const bytes = static_cast<const uint8_t*>(packed);
  const size_t last_group = shape.in - (at.groups - 1) * shape.group;
  with_activation(y.activation, [&](auto activation) {
    const Layer<decltype(activation)::value> layer{
        .packed = bytes,
        .scales = reinterpret_cast<const float*>(bytes + at.scales),
        .biases = reinterpret_cast<const float*>(bytes + at.biases),
        .weight_sums = reinterpret_cast<const float*>(bytes + at.sums),
        .out = shape.out,
        .groups = at.groups,
        .steps_in_group = shape.group / kDepth,
        .steps_in_last = round_up(last_group, kDepth) / kDepth,
        .panel_bytes = at.panel_bytes,
        .quantization = x.quantization,
        .totals = totals,
        .y = y,
    };
    multiply_layer(layer, x, rows, first, columns);
  });
}

}  // namespace gteway::kernels::amx
