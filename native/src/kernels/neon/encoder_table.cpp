// What the neon implementation has of the encoder. The kernels are in the files beside this one.
#include "kernels/encoder_contract.hpp"

namespace gteway::kernels::neon {

PackedBytes packed_bytes_f32;
PackLinear pack_linear_f32;
MultiplyLinear linear_f32;
AttentionScratch attention_scratch_f32;
Attend attention_f32;
NormalizeRowsF32 normalize_rows_f32;
NormalizeRowsBf16 normalize_rows_bf16;
NormalizeRowsU8 normalize_rows_u8;
QuantizeU8 quantize_u8;
EmbedF32 embed_f32;
EmbedBf16 embed_bf16;

extern constinit const EncoderTable encoder_table{
    .packed_bytes_f32 = packed_bytes_f32,
    .pack_linear_f32 = pack_linear_f32,
    .linear_f32 = linear_f32,
    .packed_bytes_bf16 = nullptr,
    .pack_linear_bf16 = nullptr,
    .linear_bf16 = nullptr,
    .packed_bytes_int8 = nullptr,
    .pack_linear_int8 = nullptr,
    .linear_int8 = nullptr,
    .attention_scratch_f32 = attention_scratch_f32,
    .attention_f32 = attention_f32,
    .attention_scratch_bf16 = nullptr,
    .attention_bf16 = nullptr,
    .normalize_rows_f32 = normalize_rows_f32,
    .normalize_rows_bf16 = normalize_rows_bf16,
    .normalize_rows_u8 = normalize_rows_u8,
    .quantize_u8 = quantize_u8,
    .embed_f32 = embed_f32,
    .embed_bf16 = embed_bf16,
};

}  // namespace gteway::kernels::neon
