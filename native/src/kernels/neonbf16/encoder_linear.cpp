// Linear layers in bfloat16, summed in float32.
#include "kernels/neonbf16/encoder_dot.hpp"

namespace gteway::kernels::neonbf16 {

using Layer = FloatLinear<DotBf16>;

size_t packed_bytes_bf16(const LinearShape& shape) noexcept { return Layer::packed_bytes(shape); }

void pack_linear_bf16(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                      size_t columns, void* packed) noexcept {
  Layer::pack(shape, weight, bias, first, columns, packed,
              [](float x) { return vget_lane_u16(round_to_bf16(vdupq_n_f32(x)), 0); });
}

void linear_bf16(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                 size_t columns, const Result& y) noexcept {
  Layer::multiply(shape, packed, x, rows, first, columns, y);
}

}  // namespace gteway::kernels::neonbf16
