// What the avx512vnni implementation has of the encoder: layers in 8 bits.
#include "kernels/avx512/lanes.hpp"
#include "kernels/avx512/product.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_linear_int8.hpp"

namespace gteway::kernels::avx512vnni {
namespace {

struct DotInt8 {
  using Sum = __m512i;
  static constexpr int32_t kInputOffset = 0;
  static Sum zero() { return _mm512_setzero_si512(); }
  static Sum add(Sum sum, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(sum, a, b); }
  static void store_sum(float* to, Sum sum) { _mm512_storeu_si512(to, sum); }
};

using Linear = Int8Linear<avx512::Product<DotInt8>>;

}  // namespace

extern constinit const EncoderTable encoder_table{
    .packed_bytes_f32 = nullptr,
    .pack_linear_f32 = nullptr,
    .linear_f32 = nullptr,
    .packed_bytes_bf16 = nullptr,
    .pack_linear_bf16 = nullptr,
    .linear_bf16 = nullptr,
    .packed_bytes_int8 = Linear::packed_bytes,
    .pack_linear_int8 = Linear::pack,
    .linear_int8 = Linear::multiply,
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

}  // namespace gteway::kernels::avx512vnni
