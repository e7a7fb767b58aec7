// A linear layer by blocks of tiles, for any type of operand. A panel of weights is multiplied with all rows
// before the next one, so that weights are read from memory once per call; while a block's products run, the
// sums of the block before become results.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/amx/tiles.hpp"
#include "kernels/avx512/lanes.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_math.hpp"

namespace gteway::kernels::amx {
namespace {

constexpr size_t kSumsStride = kPanelColumns * 4;  // bytes between the rows of a block of sums

// 32 columns of one row of y.
template <Activation kActivation>
inline void store_result(const Result& y, size_t row, size_t column, __m512 low, __m512 high) {
  low = activate<kActivation>(avx512::F32{low}).v;
  high = activate<kActivation>(avx512::F32{high}).v;
  auto* const at = static_cast<uint8_t*>(y.data) + row * y.stride;
  if (y.kind == ResultKind::kBf16) {
    _mm512_storeu_si512(at + column * 2, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    return;
  }
  auto* const floats = reinterpret_cast<float*>(at) + column;
  if (y.kind == ResultKind::kAddF32) {
    low = _mm512_add_ps(low, _mm512_loadu_ps(floats));
    high = _mm512_add_ps(high, _mm512_loadu_ps(floats + 16));
  }
  if (y.kind == ResultKind::kTimesF32) {
    low = _mm512_mul_ps(low, _mm512_loadu_ps(floats));
    high = _mm512_mul_ps(high, _mm512_loadu_ps(floats + 16));
  }
  _mm512_storeu_ps(floats, low);
  _mm512_storeu_ps(floats + 16, high);
}

// A block whose sums are in memory and whose results are not.
template <class Layer>
class Pending {
 public:
  Pending() = default;
  // Rows [begin, end) of the layer's output; sums begins with row `first` ≤ begin.
  Pending(const uint8_t* sums, size_t first, size_t begin, size_t end, size_t column, size_t group)
      : sums_(sums + (begin - first) * kSumsStride), row_(begin), end_(end), column_(column), group_(group) {}

  void finish(const Layer& layer, size_t rows) {
    for (; rows > 0 && row_ < end_; --rows, ++row_, sums_ += kSumsStride)
      layer.finish(sums_, row_, column_, group_);
  }

 private:
  const uint8_t* sums_ = nullptr;
  size_t row_ = 0, end_ = 0, column_ = 0, group_ = 0;
};

// Columns [first, first + columns) for all rows of x. Layer has
//   Product                                 one of tiles.hpp
//   groups, steps(group)                    sums are finished per group: so many steps of depth
//   panel(column), panel_bytes              its steps, those of all groups end to end
//   finish(sums, row, column, group) const  what becomes of 32 sums of a row; groups first to last
//
// The last block ends with the last row, and so may begin with rows of the block before: a row's sums do not
// depend on the block it is in, and only rows that are new are finished. So tiles are configured once. Fewer
// than 32 rows get tiles of just their height.
template <class Layer>
inline void multiply_layer(const Layer& layer, const Operand& x, size_t rows, size_t first, size_t columns) {
  if (rows == 0 || columns == 0) return;
  alignas(64) uint8_t sums[2][kBlockRows * kSumsStride];
  const Tiles tiles(rows < kBlockRows ? rows : kBlockRows);
  const size_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  // Lines of the next panel to fetch beside each step, so that it is there when the last block of this one is
  // done.
  const size_t lines = (kStepBytes / 64 + blocks - 1) / blocks;
  Pending<Layer> pending;
  size_t other = 0;
  for (size_t column = first; column < first + columns; column += kPanelColumns) {
    const uint8_t* const panel = layer.panel(column);
    const uint8_t* ahead = panel + layer.panel_bytes;
    const size_t lines_ahead = column + kPanelColumns < first + columns ? lines : 0;
    for (size_t done = 0; done < rows;) {
      const bool lower = rows - done > kTileRows;
      const size_t height = lower ? kBlockRows : kTileRows;
      const size_t end = done + height < rows ? done + height : rows;
      const size_t begin = rows >= kBlockRows ? end - height : done;
      const uint8_t* a = static_cast<const uint8_t*>(x.data) + begin * x.stride;
      const uint8_t* b = panel;
      for (size_t group = 0; group < layer.groups; ++group) {
        const size_t steps = layer.steps(group);
        const size_t rows_beside = (kBlockRows + steps - 1) / steps;
        const auto beside = [&] {
          pending.finish(layer, rows_beside);
          for (size_t i = 0; i < lines_ahead; ++i, ahead += 64)
            _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
        };
        uint8_t* const block = sums[other];
        if (lower) {
          multiply_block<typename Layer::Product, true>(a, x.stride, b, steps, beside);
          store_block<true>(block, kSumsStride);
        } else {
          multiply_block<typename Layer::Product, false>(a, x.stride, b, steps, beside);
          store_block<false>(block, kSumsStride);
        }
        pending = Pending<Layer>(block, begin, done, end, column, group);
        other ^= 1;
        a += steps * 64;
        b += steps * kStepBytes;
      }
      done = end;
    }
  }
  pending.finish(layer, kBlockRows);
}

// Calls run(constant) with the activation as a type's constant.
template <Activation kActivation>
struct ActivationConstant {
  static constexpr Activation value = kActivation;
};
template <class Run>
inline void with_activation(Activation activation, Run run) {
  switch (activation) {
    case Activation::kNone:
      return run(ActivationConstant<Activation::kNone>{});
    case Activation::kGeluErf:
      return run(ActivationConstant<Activation::kGeluErf>{});
    case Activation::kGeluTanh:
      return run(ActivationConstant<Activation::kGeluTanh>{});
    case Activation::kSilu:
      return run(ActivationConstant<Activation::kSilu>{});
    case Activation::kRelu:
      return run(ActivationConstant<Activation::kRelu>{});
  }
}

}  // namespace
}  // namespace gteway::kernels::amx
