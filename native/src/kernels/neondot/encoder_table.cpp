// What the neondot implementation has of the encoder: layers in 8 bits.
#include "kernels/encoder_contract.hpp"
#include "kernels/generic/encoder_linear_int8.hpp"
#include "kernels/neon/lanes.hpp"
#include "kernels/neon/product.hpp"

namespace gteway::kernels::neondot {
namespace {

// SDOT multiplies signed with signed: inputs are shifted by 128 as they are loaded.
struct DotInt8 {
  using Sum = int32x4_t;
  using Words = int8x16_t;
  static constexpr int32_t kInputOffset = 128;
  static Sum zero() { return vdupq_n_s32(0); }
  static Words load(const char* at) { return vld1q_s8(reinterpret_cast<const int8_t*>(at)); }
  static Words load_row(const char* at) { return veorq_s8(load(at), vdupq_n_s8(-128)); }
  template <int kLane>
  static Sum add(Sum sum, Words row, Words columns) {
    return vdotq_laneq_s32(sum, columns, row, kLane);
  }
  static void store_sum(float* to, Sum sum) { vst1q_s32(reinterpret_cast<int32_t*>(to), sum); }
};

using Linear = Int8Linear<neon::Product<DotInt8>>;

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

}  // namespace gteway::kernels::neondot
