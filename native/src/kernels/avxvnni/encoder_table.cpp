// What the avxvnni implementation has of the encoder: layers in 8 bits, for processors with VNNI and
// without AVX-512.
#include "kernels/avx2/lanes.hpp"
#include "kernels/avx2/product.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_linear_int8.hpp"

namespace gteway::kernels::avxvnni {
namespace {

struct DotInt8 {
  using Sum = __m256i;
  static constexpr int32_t kInputOffset = 0;
  static constexpr bool kPrefetches = true;
  static Sum zero() { return _mm256_setzero_si256(); }
  static __m256i load(const char* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
  static __m256i broadcast(const char* at) {
    return _mm256_set1_epi32(*reinterpret_cast<const int32_t*>(at));
  }
  static Sum add(Sum sum, __m256i a, __m256i b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
  static void store_sum(float* to, Sum sum) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sum); }
};

using Linear = Int8Linear<avx2::Product<DotInt8>>;

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
    .turn_heads_f32 = nullptr,
    .turn_heads_bf16 = nullptr,
};

}  // namespace gteway::kernels::avxvnni
