// Float formats, 16 elements at a time; the last ones under a mask.
#include <immintrin.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::avx512 {
namespace {

// Calls step(i, mask) for every group of 16, the last one's mask covering what is left. Masked stores of
// narrow elements are slow (f32_to_f16 on Zen 5: 112 GB/s against 172), and compilers drop a mask that is
// constant and full.
template <class Step>
inline void by_sixteens(size_t count, Step step) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) step(i, static_cast<__mmask16>(0xffff));
  if (i < count) step(i, static_cast<__mmask16>((1u << (count - i)) - 1));
}

}  // namespace

void f32_to_f16(const float* x, size_t count, uint16_t* out) noexcept {
  by_sixteens(count, [=](size_t i, __mmask16 mask) {
    const __m512 value = _mm512_maskz_loadu_ps(mask, x + i);
    _mm256_mask_storeu_epi16(out + i, mask,
                             _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  });
}

void f16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  by_sixteens(count, [=](size_t i, __mmask16 mask) {
    _mm512_mask_storeu_ps(out + i, mask, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x + i)));
  });
}

// Integer arithmetic, and not vcvtneps2bf16: that instruction flushes subnormals to zero.
void f32_to_bf16(const float* x, size_t count, uint16_t* out) noexcept {
  by_sixteens(count, [=](size_t i, __mmask16 mask) {
    const __m512 value = _mm512_maskz_loadu_ps(mask, x + i);
    const __m512i bits = _mm512_castps_si512(value);
    const __m512i upper = _mm512_srli_epi32(bits, 16);
    const __m512i last_bit = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), last_bit), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    const __m512i result = _mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40));
    _mm256_mask_storeu_epi16(out + i, mask, _mm512_cvtepi32_epi16(result));
  });
}

void bf16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  by_sixteens(count, [=](size_t i, __mmask16 mask) {
    const __m512i upper = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, x + i));
    _mm512_mask_storeu_epi32(out + i, mask, _mm512_slli_epi32(upper, 16));
  });
}

void f32_to_i8(const float* x, size_t count, float scale, int8_t* out) noexcept {
  const __m512 scale_f32x16 = _mm512_set1_ps(scale), limit = _mm512_set1_ps(127);
  by_sixteens(count, [=](size_t i, __mmask16 mask) {
    const __m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale_f32x16);
    const __mmask16 number = _mm512_cmp_ps_mask(value, value, _CMP_ORD_Q);
    const __m512 clamped =
        _mm512_maskz_min_ps(number, _mm512_max_ps(value, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
    const __m512i rounded = _mm512_cvt_roundps_epi32(clamped, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm512_mask_cvtepi32_storeu_epi8(out + i, mask, rounded);
  });
}

void f32_to_bits(const float* x, size_t count, uint8_t* out) noexcept {
  // Lanes of each half in reverse, so that the mask has the first element in a byte's most significant bit.
  const __m512i reverse = _mm512_set_epi32(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  by_sixteens(count, [=](size_t i, __mmask16 mask) {
    const __m512 value = _mm512_permutexvar_ps(reverse, _mm512_maskz_loadu_ps(mask, x + i));
    const unsigned bits = _mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_GT_OQ);
    out[i / 8] = static_cast<uint8_t>(bits);
    if (mask > 0xff) out[i / 8 + 1] = static_cast<uint8_t>(bits >> 8);
  });
}

}  // namespace gteway::kernels::avx512
