// What the avx2 implementation has of the encoder: everything in float32. Operands in other precisions are
// made where there are products for them.
#include "kernels/avx2/lanes.hpp"
#include "kernels/avx2/product.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_attention.hpp"
#include "kernels/generic/encoder_linear.hpp"
#include "kernels/generic/encoder_rows.hpp"

namespace gteway::kernels::avx2 {
namespace {

using Linear = FloatLinear<Product>;
using Heads = Attention<Product>;

}  // namespace

extern constinit const EncoderTable encoder_table{
    .packed_bytes_f32 = Linear::packed_bytes,
    .pack_linear_f32 = Linear::pack,
    .linear_f32 = Linear::multiply,
    .packed_bytes_bf16 = nullptr,
    .pack_linear_bf16 = nullptr,
    .linear_bf16 = nullptr,
    .packed_bytes_int8 = nullptr,
    .pack_linear_int8 = nullptr,
    .linear_int8 = nullptr,
    .attention_scratch_f32 = Heads::scratch_bytes,
    .attention_f32 = Heads::attend,
    .attention_scratch_bf16 = nullptr,
    .attention_bf16 = nullptr,
    .normalize_rows_f32 = normalize_rows_f32<F32>,
    .normalize_rows_bf16 = nullptr,
    .normalize_rows_u8 = nullptr,
    .quantize_u8 = nullptr,
    .embed_f32 = embed<F32, float>,
    .embed_bf16 = nullptr,
    .turn_heads_f32 = turn_heads<F32, float>,
    .turn_heads_bf16 = nullptr,
};

}  // namespace gteway::kernels::avx2
