// What the avx2 implementation has of the encoder. The kernels are in the files beside this one.
#include "kernels/encoder_contract.hpp"

namespace gteway::kernels::avx2 {

PackedBytes packed_bytes_f32;
PackLinear pack_linear_f32;
MultiplyLinear linear_f32;
AttentionScratch attention_scratch_f32;
Attend attention_f32;
NormalizeRowsF32 normalize_rows_f32;
EmbedF32 embed_f32;

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
    .normalize_rows_bf16 = nullptr,
    .normalize_rows_u8 = nullptr,
    .quantize_u8 = nullptr,
    .embed_f32 = embed_f32,
    .embed_bf16 = nullptr,
};

}  // namespace gteway::kernels::avx2
