// What the avx512 implementation has of the encoder: everything in float32, and rows as operands of others.
#include "kernels/avx512/lanes.hpp"
#include "kernels/avx512/product.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_attention.hpp"
#include "kernels/generic/encoder_linear.hpp"
#include "kernels/generic/encoder_rows.hpp"

namespace gteway::kernels::avx512 {
namespace {

struct DotF32 : FloatElements {
  using Sum = __m512;
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(Sum sum, __m512i a, __m512i b) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
  }
  static void store_sum(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }
};

using Linear = FloatLinear<Product<DotF32>>;
using Heads = Attention<Product<DotF32>>;

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
    .normalize_rows_bf16 = normalize_rows_bf16<F32>,
    .normalize_rows_u8 = normalize_rows_u8<F32>,
    .quantize_u8 = quantize_u8<F32>,
    .embed_f32 = embed<F32, float>,
    .embed_bf16 = embed<F32, uint16_t>,
    .turn_heads_f32 = turn_heads<F32, float>,
    .turn_heads_bf16 = turn_heads<F32, uint16_t>,
};

}  // namespace gteway::kernels::avx512
