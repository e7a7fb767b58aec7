// What the neonbf16 implementation has of the encoder: products in bfloat16. Sums and softmax are float32.
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_attention.hpp"
#include "kernels/generic/encoder_linear.hpp"
#include "kernels/neon/lanes.hpp"
#include "kernels/neon/product.hpp"

namespace gteway::kernels::neonbf16 {
namespace {

struct DotBf16 {
  using Element = uint16_t;
  using Sum = float32x4_t;
  using Words = bfloat16x8_t;
  static Sum zero() { return vdupq_n_f32(0); }
  static Words load(const char* at) {
    return vreinterpretq_bf16_u16(vld1q_u16(reinterpret_cast<const uint16_t*>(at)));
  }
  static Words load_row(const char* at) { return load(at); }
  template <int kLane>
  static Sum add(Sum sum, Words row, Words columns) {
    return vbfdotq_laneq_f32(sum, columns, row, kLane);
  }
  static void store_sum(float* to, Sum sum) { vst1q_f32(to, sum); }

  static Element element(float x) {
    const neon::F32 same = neon::F32::of(x);
    uint16_t rounded[8];
    store_bf16(rounded, same, same);
    return rounded[0];
  }
  static void store(uint16_t* to, neon::F32 low, neon::F32 high) { store_bf16(to, low, high); }
  static void interleave(const uint16_t* even, const uint16_t* odd, char* to) {
    auto* const words = reinterpret_cast<uint16_t*>(to);
    for (size_t d = 0; d < 16; d += 8) {
      const uint16x8_t a = vld1q_u16(even + d), b = vld1q_u16(odd + d);
      vst1q_u16(words + 2 * d, vzip1q_u16(a, b));
      vst1q_u16(words + 2 * d + 8, vzip2q_u16(a, b));
    }
  }
};

using Linear = FloatLinear<neon::Product<DotBf16>>;
using Heads = Attention<neon::Product<DotBf16>>;

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

}  // namespace gteway::kernels::neonbf16
