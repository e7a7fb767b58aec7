// What the avx512bf16 implementation has of the encoder: products in bfloat16. Sums and softmax are float32.
#include "kernels/avx512/lanes.hpp"
#include "kernels/avx512/product.hpp"
#include "kernels/avx512/transpose.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_attention.hpp"
#include "kernels/generic/encoder_linear.hpp"

namespace gteway::kernels::avx512bf16 {
namespace {

struct DotBf16 {
  using Element = uint16_t;
  using Sum = __m512;
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(Sum sum, __m512i a, __m512i b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
  static void store_sum(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }

  static Element element(float x) {
    return static_cast<uint16_t>(_mm_extract_epi16((__m128i)_mm_cvtneps_pbh(_mm_set_ss(x)), 0));
  }
  static void store(uint16_t* to, avx512::F32 low, avx512::F32 high) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(high.v, low.v));
  }
  static void interleave(const uint16_t* even, const uint16_t* odd, char* to) {
    __m512i low, high;
    avx512::interleave(_mm512_loadu_si512(even), _mm512_loadu_si512(odd), low, high);
    _mm512_store_si512(to, low);
    _mm512_store_si512(to + 64, high);
  }
};

using Linear = FloatLinear<avx512::Product<DotBf16>>;
using Heads = Attention<avx512::Product<DotBf16>>;

}  // namespace

extern constinit const EncoderTable encoder_table{
    .packed_bytes_f32 = nullptr,
    .pack_linear_f32 = nullptr,
    .linear_f32 = nullptr,
    .packed_bytes_bf16 = Linear::packed_bytes,
    .pack_linear_bf16 = Linear::pack,
    .linear_bf16 = Linear::multiply,
    .packed_bytes_int8 = nullptr,
    .pack_linear_int8 = nullptr,
    .linear_int8 = nullptr,
    .attention_scratch_f32 = nullptr,
    .attention_f32 = nullptr,
    .attention_scratch_bf16 = Heads::scratch_bytes,
    .attention_bf16 = Heads::attend,
    .normalize_rows_f32 = nullptr,
    .normalize_rows_bf16 = nullptr,
    .normalize_rows_u8 = nullptr,
    .quantize_u8 = nullptr,
    .embed_f32 = nullptr,
    .embed_bf16 = nullptr,
};

}  // namespace gteway::kernels::avx512bf16
