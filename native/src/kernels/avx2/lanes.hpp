// AVX2's vectors, as generic/ wants them. Internal to every file that includes it.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace gteway::kernels::avx2 {
namespace {

// 8 integers of 32 bits.
struct I32 {
  static constexpr size_t kLanes = 8;
  __m256i v;

  static I32 of(int32_t x) { return {_mm256_set1_epi32(x)}; }
  static I32 load(const void* at) { return {_mm256_loadu_si256(static_cast<const __m256i*>(at))}; }
  I32 upper_halves() const { return {_mm256_srli_epi32(v, 16)}; }

  friend I32 operator+(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
  friend I32 operator&(I32 a, I32 b) { return {_mm256_and_si256(a.v, b.v)}; }
  friend I32 operator|(I32 a, I32 b) { return {_mm256_or_si256(a.v, b.v)}; }
  // Packing works within 128-bit halves; the permutations put the results in order.
  friend void store_upper_halves(uint16_t* to, I32 low, I32 high) {
    const __m256i packed = _mm256_packus_epi32(low.upper_halves().v, high.upper_halves().v);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permute4x64_epi64(packed, 0xd8));
  }
  // Sixteen words, saturated, in order.
  friend __m256i words_of(I32 low, I32 high) {
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(low.v, high.v), 0xd8);
  }
  friend void store_i8(int8_t* to, const I32 (&x)[2]) {
    const __m256i words = words_of(x[0], x[1]);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  }
  friend void store_u8(uint8_t* to, I32 low, I32 high) {
    const __m256i words = words_of(low, high);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  }
  friend int32_t sum_lanes(I32 x) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(x.v), _mm256_extracti128_si256(x.v, 1));
    four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 1)));
  }
  friend void store_i8(int8_t* to, const I32 (&x)[4]) {
    const __m256i packed =
        _mm256_packs_epi16(_mm256_packs_epi32(x[0].v, x[1].v), _mm256_packs_epi32(x[2].v, x[3].v));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permutevar8x32_epi32(packed, order));
  }
};

// 8 float32.
struct F32 {
  using I32 = avx2::I32;
  static constexpr size_t kLanes = 8;
  static constexpr bool kHasMasks = false;
  static constexpr size_t kBytesVectors = 4;
  static constexpr size_t kSigns = 8;
  static constexpr size_t kRowSums = 4;
  static constexpr size_t kSoftmaxSums = 1;
  __m256 v;

  static F32 of(float x) { return {_mm256_set1_ps(x)}; }
  static F32 of(I32 x) { return {_mm256_cvtepi32_ps(x.v)}; }
  static F32 load(const float* at) { return {_mm256_loadu_ps(at)}; }
  static F32 load_f16(const uint16_t* at) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)))};
  }
  static F32 load_bf16(const uint16_t* at) {
    const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(upper), 16))};
  }
  void store(float* to) const { _mm256_storeu_ps(to, v); }
  I32 bits() const { return {_mm256_castps_si256(v)}; }

  friend F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
  friend F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  friend F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
  friend F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
  friend F32 abs(F32 x) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0F), x.v)}; }
  friend F32 round_to_even(F32 x) {
    return {_mm256_round_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend F32 times_power_of_2(F32 x, F32 power) {
    const __m256i exponent = _mm256_cvtps_epi32(_mm256_add_ps(power.v, _mm256_set1_ps(127)));
    return {_mm256_mul_ps(x.v, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)))};
  }
  friend F32 where_negative(F32 x, F32 then, F32 otherwise) {
    return {_mm256_blendv_ps(otherwise.v, then.v, x.v)};
  }
  friend I32 unless_nan(F32 x, I32 rounded) {
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q));
    return {_mm256_blendv_epi8(rounded.v, (x.bits() | I32::of(0x400000)).v, nan)};
  }
  friend F32 first_lanes(F32 x, size_t count, F32 others) {
    const __m256i limit = _mm256_set1_epi32(count < kLanes ? static_cast<int>(count) : 8);
    const __m256i is_first = _mm256_cmpgt_epi32(limit, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return {_mm256_blendv_ps(others.v, x.v, _mm256_castsi256_ps(is_first))};
  }
  // ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))
  friend float sum_lanes(F32 x) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }
  friend float max_lanes(F32 x) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }

  friend float min_lanes(F32 x) {
    __m128 four = _mm_min_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
    four = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(four, _mm_movehdup_ps(four)));
  }
  friend I32 to_int(F32 x) { return {_mm256_cvtps_epi32(x.v)}; }

  friend void store_f16(uint16_t* to, F32 low, F32 high) {
    constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(low.v, kRounding));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 8), _mm256_cvtps_ph(high.v, kRounding));
  }
  friend I32 round_to_i8(F32 x) {
    const __m256 limit = _mm256_set1_ps(127);
    const __m256 number = _mm256_and_ps(x.v, _mm256_cmp_ps(x.v, x.v, _CMP_ORD_Q));
    const __m256 clamped =
        _mm256_min_ps(_mm256_max_ps(number, _mm256_sub_ps(_mm256_setzero_ps(), limit)), limit);
    return {_mm256_cvtps_epi32(clamped)};
  }
  static void store_positive(uint8_t* to, const float* from) {
    // Lanes in reverse, so that the mask has the first element in the most significant bit.
    const __m256i reverse = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const __m256 x = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from), reverse);
    *to = static_cast<uint8_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ)));
  }
};

// 4 float64, from and to float32.
struct F64 {
  static constexpr size_t kLanes = 4;
  static constexpr size_t kSums = 8;
  __m256d v;

  static F64 of(double x) { return {_mm256_set1_pd(x)}; }
  static F64 load(const float* at) { return {_mm256_cvtps_pd(_mm_loadu_ps(at))}; }
  static F64 load(const float* at, size_t count) {
    const __m128i limit = _mm_set1_epi32(static_cast<int>(count));
    const __m128i is_first = _mm_cmpgt_epi32(limit, _mm_setr_epi32(0, 1, 2, 3));
    return {_mm256_cvtps_pd(_mm_maskload_ps(at, is_first))};
  }
  void store(float* to) const { _mm_storeu_ps(to, _mm256_cvtpd_ps(v)); }
  void store(float* to, size_t count) const {
    alignas(16) float all[4];
    store(all);
    for (size_t i = 0; i < count; ++i) to[i] = all[i];
  }

  friend F64 operator+(F64 a, F64 b) { return {_mm256_add_pd(a.v, b.v)}; }
  friend F64 operator*(F64 a, F64 b) { return {_mm256_mul_pd(a.v, b.v)}; }
  friend F64 operator/(F64 a, F64 b) { return {_mm256_div_pd(a.v, b.v)}; }
  friend F64 fma(F64 a, F64 b, F64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  friend double sum_lanes(F64 x) {
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(x.v), _mm256_extractf128_pd(x.v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
};

// 32 bytes, of text or signed, and a byte of ones or zeros for each.
struct Bytes {
  static constexpr size_t kLanes = 32;
  __m256i v;

  struct Mask {
    __m256i v;
    static Mask all_if(bool set) { return {_mm256_set1_epi8(set ? -1 : 0)}; }
    friend Mask operator&(Mask a, Mask b) { return {_mm256_and_si256(a.v, b.v)}; }
    friend Mask operator|(Mask a, Mask b) { return {_mm256_or_si256(a.v, b.v)}; }
    friend Mask and_not(Mask a, Mask b) { return {_mm256_andnot_si256(b.v, a.v)}; }
    friend uint64_t bits_of(const Mask (&mask)[2]) {
      const auto low = static_cast<uint32_t>(_mm256_movemask_epi8(mask[0].v));
      return uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(mask[1].v))} << 32 | low;
    }
  };

  static Bytes of(uint8_t x) { return {_mm256_set1_epi8(static_cast<char>(x))}; }
  static Bytes load(const char* at) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))}; }
  // `count` of them, fewer than 32, and zeros.
  static Bytes load(const char* at, size_t count) {
    alignas(32) char bytes[32] = {};
    size_t i = 0;
    if (count >= 16) {
      const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      if (count == 16) return {_mm256_inserti128_si256(_mm256_setzero_si256(), first, 0)};
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes), first);
      i = 16;
    }
    for (; i < count; ++i) bytes[i] = at[i];
    return load(bytes);
  }
  void store(char* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
  // Of signed bytes: four products in each lane.
  friend I32 sums_of_products(Bytes a, Bytes b) {
    const __m256i low = _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(a.v)),
                                          _mm256_cvtepi8_epi16(_mm256_castsi256_si128(b.v)));
    const __m256i high = _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm256_extracti128_si256(a.v, 1)),
                                           _mm256_cvtepi8_epi16(_mm256_extracti128_si256(b.v, 1)));
    return {_mm256_add_epi32(low, high)};
  }
  // By a table of the bits in each half byte; every other lane is 0.
  friend I32 differing_bits(Bytes a, Bytes b) {
    const __m256i counts =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i half = _mm256_set1_epi8(15), x = _mm256_xor_si256(a.v, b.v);
    const __m256i low = _mm256_shuffle_epi8(counts, _mm256_and_si256(x, half));
    const __m256i high = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(x, 4), half));
    return {_mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256())};
  }
  friend Bytes operator|(Bytes a, Bytes b) { return {_mm256_or_si256(a.v, b.v)}; }
  Mask is(uint8_t x) const { return {_mm256_cmpeq_epi8(v, of(x).v)}; }
  // Comparisons are of signed bytes: x ≤ n, unsigned, is min(x, n) == x.
  Mask between(uint8_t first, uint8_t last) const {
    const __m256i from_first = _mm256_sub_epi8(v, of(first).v);
    return {
        _mm256_cmpeq_epi8(_mm256_min_epu8(from_first, of(static_cast<uint8_t>(last - first)).v), from_first)};
  }
  Mask is_ascii_but_zero() const { return {_mm256_cmpgt_epi8(v, _mm256_setzero_si256())}; }
  Bytes with(Mask where, uint8_t bits) const {
    return {_mm256_or_si256(v, _mm256_and_si256(where.v, of(bits).v))};
  }
};

}  // namespace
}  // namespace gteway::kernels::avx2
