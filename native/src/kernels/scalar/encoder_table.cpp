// What the scalar implementation has of the encoder. The kernels are in the files beside this one.
#include "kernels/encoder_contract.hpp"

namespace gteway::kernels::scalar {

PackedBytes packed_bytes_f32;
PackLinear pack_linear_f32;
MultiplyLinear linear_f32;
PackedBytes packed_bytes_bf16;
PackLinear pack_linear_bf16;
MultiplyLinear linear_bf16;
PackedBytes packed_bytes_int8;
PackLinear pack_linear_int8;
MultiplyLinear linear_int8;
AttentionScratch attention_scratch_f32;
Attend attention_f32;
AttentionScratch attention_scratch_bf16;
Attend attention_bf16;
NormalizeRowsF32 normalize_rows_f32;
NormalizeRowsBf16 normalize_rows_bf16;
NormalizeRowsU8 normalize_rows_u8;
QuantizeU8 quantize_u8;
EmbedF32 embed_f32;
EmbedBf16 embed_bf16;
TurnHeadsF32 turn_heads_f32;
TurnHeadsBf16 turn_heads_bf16;

extern constinit const EncoderTable encoder_table{
    .packed_bytes_f32 = packed_bytes_f32,
    .pack_linear_f32 = pack_linear_f32,
    .linear_f32 = linear_f32,
    .packed_bytes_bf16 = packed_bytes_bf16,
    .pack_linear_bf16 = pack_linear_bf16,
    .linear_bf16 = linear_bf16,
    .packed_bytes_int8 = packed_bytes_int8,
    .pack_linear_int8 = pack_linear_int8,
    .linear_int8 = linear_int8,
    .attention_scratch_f32 = attention_scratch_f32,
    .attention_f32 = attention_f32,
    .attention_scratch_bf16 = attention_scratch_bf16,
    .attention_bf16 = attention_bf16,
    .normalize_rows_f32 = normalize_rows_f32,
    .normalize_rows_bf16 = normalize_rows_bf16,
    .normalize_rows_u8 = normalize_rows_u8,
    .quantize_u8 = quantize_u8,
    .embed_f32 = embed_f32,
    .embed_bf16 = embed_bf16,
    .turn_heads_f32 = turn_heads_f32,
    .turn_heads_bf16 = turn_heads_bf16,
};

}  // namespace gteway::kernels::scalar
