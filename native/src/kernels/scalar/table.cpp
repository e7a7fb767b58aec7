// What the scalar implementation has. The kernels are in the files beside this one.
#include "kernels/contract.hpp"

namespace gteway::kernels::scalar {

PoolMeanF32 pool_mean_f32;
PoolRowsF32 pool_rows_f32;
L2NormalizeF32 l2_normalize_f32;
DotF32 dot_f32;
CosineF32 cosine_f32;
F32ToF16 f32_to_f16;
F16ToF32 f16_to_f32;
F32ToBf16 f32_to_bf16;
Bf16ToF32 bf16_to_f32;
F32ToI8 f32_to_i8;
F32ToBits f32_to_bits;
DotI8 dot_i8;
HammingBits hamming_bits;
ClassifyText classify_text;

extern constinit const Table table{
    .pool_mean_f32 = pool_mean_f32,
    .pool_rows_f32 = pool_rows_f32,
    .l2_normalize_f32 = l2_normalize_f32,
    .dot_f32 = dot_f32,
    .cosine_f32 = cosine_f32,
    .f32_to_f16 = f32_to_f16,
    .f16_to_f32 = f16_to_f32,
    .f32_to_bf16 = f32_to_bf16,
    .bf16_to_f32 = bf16_to_f32,
    .f32_to_i8 = f32_to_i8,
    .f32_to_bits = f32_to_bits,
    .dot_i8 = dot_i8,
    .hamming_bits = hamming_bits,
    .classify_text = classify_text,
};

}  // namespace gteway::kernels::scalar
