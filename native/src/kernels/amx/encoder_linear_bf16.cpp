// bfloat16 weights and activations, summed in float32 by TDPBF16PS.
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

constexpr size_t kDepth = 32;  // inputs of a step

// Panels of 32 columns, each a step for every 32 inputs, each two tiles of 16 columns. Row i of a tile has
// inputs 2 i and 2 i + 1 of each column. Behind all panels the biases, [out] float32.
size_t panel_bytes(const LinearShape& shape) { return shape.in / kDepth * kStepBytes; }
size_t biases_at(const LinearShape& shape) { return shape.out / kPanelColumns * panel_bytes(shape); }

template <Activation kActivation>
struct Layer {
  using Product = ProductBf16;
  static constexpr size_t groups = 1;
  const uint8_t* packed;
  const float* biases;
  size_t depth_steps;
  size_t panel_bytes;
  Result y;

  size_t steps(size_t) const { return depth_steps; }
  const uint8_t* panel(size_t column) const { return packed + column / kPanelColumns * panel_bytes; }
  void finish(const uint8_t* sums, size_t row, size_t column, size_t) const {
    const auto* const values = reinterpret_cast<const float*>(sums);
    store_result<kActivation>(
        y, row, column, _mm512_add_ps(_mm512_load_ps(values), _mm512_loadu_ps(biases + column)),
        _mm512_add_ps(_mm512_load_ps(values + 16), _mm512_loadu_ps(biases + column + 16)));
  }
};

}  // namespace

size_t packed_bytes_bf16(const LinearShape& shape) noexcept {
  return biases_at(shape) + round_up(shape.out * sizeof(float), 64);
}

void pack_linear_bf16(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                      size_t columns, void* packed) noexcept {
  auto* const bytes = static_cast<uint8_t*>(packed);
  for (size_t j = 0; j < columns; j += 16) {
    const size_t column = first + j;
    uint8_t* tile =
        bytes + column / kPanelColumns * panel_bytes(shape) + column % kPanelColumns / 16 * kTileBytes;
    for (size_t k = 0; k < shape.in; k += kDepth, tile += kStepBytes) {
      __m512i rows[16];
      for (size_t c = 0; c < 16; ++c) {
        const float* const from = weight + (j + c) * shape.in + k;
        rows[c] =
            reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from)));
      }
      avx512::transpose(rows);
      for (size_t i = 0; i < 16; ++i) _mm512_store_si512(tile + 64 * i, rows[i]);
    }
  }
  auto* const biases = reinterpret_cast<float*>(bytes + biases_at(shape));
  for (size_t j = 0; j < columns; ++j) biases[first + j] = bias[j];
}

void linear_bf16(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                 size_t columns, const Result& y) noexcept {
  with_activation(y.activation, [&](auto activation) {
    const auto* const bytes = static_cast<const uint8_t*>(packed);
    const Layer<decltype(activation)::value> layer{
        .packed = bytes,
        .biases = reinterpret_cast<const float*>(bytes + biases_at(shape)),
        .depth_steps = shape.in / kDepth,
        .panel_bytes = panel_bytes(shape),
        .y = y,
    };
    multiply_layer(layer, x, rows, first, columns);
  });
}

}  // namespace gteway::kernels::amx
