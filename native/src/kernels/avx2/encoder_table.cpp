// What the avx2 implementation has of the encoder: everything in float32, and rows in 8 bits for the products
// of avxvnni.
#include "kernels/avx2/lanes.hpp"
#include "kernels/avx2/product.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_attention.hpp"
#include "kernels/generic/encoder_linear.hpp"
#include "kernels/generic/encoder_rows.hpp"

namespace gteway::kernels::avx2 {
namespace {

struct DotF32 : FloatElements {
  using Sum = __m256;
  static constexpr bool kPrefetches = false;
  static Sum zero() { return _mm256_setzero_ps(); }
  static __m256 load(const char* at) { return _mm256_loadu_ps(reinterpret_cast<const float*>(at)); }
  static __m256 broadcast(const char* at) { return _mm256_broadcast_ss(reinterpret_cast<const float*>(at)); }
  static Sum add(Sum sum, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, sum); }
  static void store_sum(float* to, Sum sum) { _mm256_storeu_ps(to, sum); }
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
    .normalize_rows_bf16 = nullptr,
    .normalize_rows_u8 = normalize_rows_u8<F32>,
    .quantize_u8 = quantize_u8<F32>,
    .embed_f32 = embed<F32, float>,
    .embed_bf16 = embed<F32, uint16_t>,
    .turn_heads_f32 = turn_heads<F32, float>,
    .turn_heads_bf16 = nullptr,
};

}  // namespace gteway::kernels::avx2
