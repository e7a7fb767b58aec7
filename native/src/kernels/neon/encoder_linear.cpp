// Linear layers in float32.
#include "kernels/neon/encoder_product.hpp"

namespace gteway::kernels::neon {

using Layer = FloatLinear<DotF32>;

size_t packed_bytes_f32(const LinearShape& shape) noexcept { return Layer::packed_bytes(shape); }

void pack_linear_f32(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                     size_t columns, void* packed) noexcept {
  Layer::pack(shape, weight, bias, first, columns, packed, [](float x) { return x; });
}

void linear_f32(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                size_t columns, const Result& y) noexcept {
  Layer::multiply(shape, packed, x, rows, first, columns, y);
}

}  // namespace gteway::kernels::neon
