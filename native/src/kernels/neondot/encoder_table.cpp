// What the neondot implementation has of the encoder. The kernels are in the files beside this one.
#include "kernels/encoder_contract.hpp"

namespace gteway::kernels::neondot {

PackedBytes packed_bytes_int8;
PackLinear pack_linear_int8;
MultiplyLinear linear_int8;

extern constinit const EncoderTable encoder_table{
    .packed_bytes_f32 = nullptr,
    .pack_linear_f32 = nullptr,
    .linear_f32 = nullptr,
    .packed_bytes_bf16 = nullptr,
    .pack_linear_bf16 = nullptr,
    .linear_bf16 = nullptr,
    .packed_bytes_int8 = packed_bytes_int8,
    .pack_linear_int8 = pack_linear_int8,
    .linear_int8 = linear_int8,
    .attention_scratch_f32 = nullptr,
    .attention_f32 = nullptr,
    .attention_scratch_bf16 = nullptr,
    .attention_bf16 = nullptr,
    .normalize_rows_f32 = nullptr,
    .normalize_rows_bf16 = nullptr,
    .normalize_rows_u8 = nullptr,
    .quantize_u8 = nullptr,
    .embed_f32 = nullptr,
    .embed_bf16 = nullptr,
};

}  // namespace gteway::kernels::neondot
