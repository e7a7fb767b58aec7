// Float formats, 8 elements at a time (int8: 32). The last ones go through a full vector of their own on the
// stack, so that they get the same instructions as the others.
#include <immintrin.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::avx2 {
namespace {

// out[0, 8) = convert(x[0, 8)) for every group of 8, the last one padded with zeros.
template <class From, class To, class Convert>
inline void by_eights(const From* x, size_t count, To* out, Convert convert) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) convert(x + i, out + i);
  if (i == count) return;
  From from[8] = {};
  To to[8];
  for (size_t j = 0; i + j < count; ++j) from[j] = x[i + j];
  convert(from, to);
  for (size_t j = 0; i + j < count; ++j) out[i + j] = to[j];
}

inline __m128i load_u16x8(const uint16_t* x) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x)); }
inline void store_u16x8(uint16_t* out, __m128i value) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), value);
}

// NaN becomes 0, the rest is clamped to ±127 and rounded to nearest, ties to even.
inline __m256i round_i8(__m256 value) {
  const __m256 limit = _mm256_set1_ps(127);
  const __m256 number = _mm256_and_ps(value, _mm256_cmp_ps(value, value, _CMP_ORD_Q));
  const __m256 clamped =
      _mm256_min_ps(_mm256_max_ps(number, _mm256_sub_ps(_mm256_setzero_ps(), limit)), limit);
  return _mm256_cvtps_epi32(clamped);
}

inline void i8x32(const float* x, __m256 scale, int8_t* out) {
  __m256i v[4];
  for (int k = 0; k < 4; ++k) v[k] = round_i8(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * k), scale));
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
  // Packing works within 128-bit halves, which leaves groups of four in the order 0 2 4 6 1 3 5 7.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_permutevar8x32_epi32(packed, order));
}

}  // namespace

void f32_to_f16(const float* x, size_t count, uint16_t* out) noexcept {
  by_eights(x, count, out, [](const float* from, uint16_t* to) {
    store_u16x8(to, _mm256_cvtps_ph(_mm256_loadu_ps(from), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  });
}

void f16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  by_eights(x, count, out,
            [](const uint16_t* from, float* to) { _mm256_storeu_ps(to, _mm256_cvtph_ps(load_u16x8(from))); });
}

void f32_to_bf16(const float* x, size_t count, uint16_t* out) noexcept {
  by_eights(x, count, out, [](const float* from, uint16_t* to) {
    const __m256 value = _mm256_loadu_ps(from);
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i upper = _mm256_srli_epi32(bits, 16);
    const __m256i last_bit = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), last_bit), 16);
    const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    const __m256i result = _mm256_blendv_epi8(rounded, quiet, nan);
    store_u16x8(to, _mm_packus_epi32(_mm256_castsi256_si128(result), _mm256_extracti128_si256(result, 1)));
  });
}

void bf16_to_f32(const uint16_t* x, size_t count, float* out) noexcept {
  by_eights(x, count, out, [](const uint16_t* from, float* to) {
    const __m256i bits = _mm256_slli_epi32(_mm256_cvtepu16_epi32(load_u16x8(from)), 16);
    _mm256_storeu_ps(to, _mm256_castsi256_ps(bits));
  });
}

void f32_to_i8(const float* x, size_t count, float scale, int8_t* out) noexcept {
  const __m256 scale_f32x8 = _mm256_set1_ps(scale);
  size_t i = 0;
  for (; i + 32 <= count; i += 32) i8x32(x + i, scale_f32x8, out + i);
  if (i == count) return;
  float from[32] = {};
  int8_t to[32];
  for (size_t j = 0; i + j < count; ++j) from[j] = x[i + j];
  i8x32(from, scale_f32x8, to);
  for (size_t j = 0; i + j < count; ++j) out[i + j] = to[j];
}

void f32_to_bits(const float* x, size_t count, uint8_t* out) noexcept {
  // Lanes in reverse, so that the mask has the first element in the most significant bit.
  const __m256i reverse = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  const auto byte = [reverse](const float* from) {
    const __m256 value = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from), reverse);
    return static_cast<uint8_t>(_mm256_movemask_ps(_mm256_cmp_ps(value, _mm256_setzero_ps(), _CMP_GT_OQ)));
  };
  size_t i = 0;
  for (; i + 8 <= count; i += 8) out[i / 8] = byte(x + i);
  if (i == count) return;
  float from[8] = {};
  for (size_t j = 0; i + j < count; ++j) from[j] = x[i + j];
  out[i / 8] = byte(from);
}

}  // namespace gteway::kernels::avx2
