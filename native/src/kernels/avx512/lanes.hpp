// AVX-512's vectors, as generic/ wants them. Internal to every file that includes it.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace gteway::kernels::avx512 {
namespace {

// The first `count` of 64, 16 or 8 lanes.
inline __mmask64 first_of_64(size_t count) { return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }
inline __mmask16 first_of_16(size_t count) {
  return count >= 16 ? 0xffff : static_cast<__mmask16>((1u << count) - 1);
}
inline __mmask8 first_of_8(size_t count) {
  return count >= 8 ? 0xff : static_cast<__mmask8>((1u << count) - 1);
}

// 16 integers of 32 bits.
struct I32 {
  static constexpr size_t kLanes = 16;
  __m512i v;

  static I32 of(int32_t x) { return {_mm512_set1_epi32(x)}; }
  static I32 load(const void* at) { return {_mm512_loadu_si512(at)}; }
  void store(void* to) const { _mm512_storeu_si512(to, v); }
  I32 upper_halves() const { return {_mm512_srli_epi32(v, 16)}; }

  friend I32 operator+(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
  friend I32 operator&(I32 a, I32 b) { return {_mm512_and_si512(a.v, b.v)}; }
  friend I32 operator|(I32 a, I32 b) { return {_mm512_or_si512(a.v, b.v)}; }
  friend int32_t sum_lanes(I32 x) { return _mm512_reduce_add_epi32(x.v); }
  friend void store_upper_halves(uint16_t* to, I32 low, I32 high) {
    // Words 1, 3, … 31 of `low`, then of `high`.
    const __m512i odd =
        _mm512_set_epi32(0x3f003d, 0x3b0039, 0x370035, 0x330031, 0x2f002d, 0x2b0029, 0x270025, 0x230021,  //
                         0x1f001d, 0x1b0019, 0x170015, 0x130011, 0x0f000d, 0x0b0009, 0x070005, 0x030001);
    _mm512_storeu_si512(to, _mm512_permutex2var_epi16(low.v, odd, high.v));
  }
  friend void store_i8(int8_t* to, const I32 (&x)[2]) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtsepi32_epi8(x[0].v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16), _mm512_cvtsepi32_epi8(x[1].v));
  }
  friend void store_u8(uint8_t* to, I32 low, I32 high) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtusepi32_epi8(low.v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16), _mm512_cvtusepi32_epi8(high.v));
  }
};

// 16 float32.
struct F32 {
  using I32 = avx512::I32;
  static constexpr size_t kLanes = 16;
  static constexpr bool kHasMasks = true;
  static constexpr size_t kBytesVectors = 2;
  static constexpr size_t kSigns = 16;
  static constexpr size_t kRowSums = 2;
  static constexpr size_t kSoftmaxSums = 2;
  __m512 v;

  static F32 of(float x) { return {_mm512_set1_ps(x)}; }
  static F32 of(I32 x) { return {_mm512_cvtepi32_ps(x.v)}; }
  static F32 load(const float* at) { return {_mm512_loadu_ps(at)}; }
  static F32 load_f16(const uint16_t* at) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)))};
  }
  static F32 load_bf16(const uint16_t* at) {
    const __m256i upper = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(upper), 16))};
  }
  void store(float* to) const { _mm512_storeu_ps(to, v); }
  // The first `count` elements, into a buffer and from one; zeros behind them up to a multiple of 64 bytes.
  template <class T>
  static void copy_in(T* buffer, const T* from, size_t count) {
    for (size_t i = 0; i < count; i += 64 / sizeof(T))
      _mm512_storeu_si512(buffer + i,
                          _mm512_maskz_loadu_epi8(first_of_64((count - i) * sizeof(T)), from + i));
  }
  template <class T>
  static void copy_out(T* to, const T* buffer, size_t count) {
    for (size_t i = 0; i < count; i += 64 / sizeof(T))
      _mm512_mask_storeu_epi8(to + i, first_of_64((count - i) * sizeof(T)), _mm512_loadu_si512(buffer + i));
  }
  I32 bits() const { return {_mm512_castps_si512(v)}; }

  friend F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
  friend F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  friend F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
  friend F32 abs(F32 x) { return {_mm512_abs_ps(x.v)}; }
  friend F32 round_to_even(F32 x) {
    return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend F32 times_power_of_2(F32 x, F32 power) { return {_mm512_scalef_ps(x.v, power.v)}; }
  friend F32 where_negative(F32 x, F32 then, F32 otherwise) {
    const __mmask16 negative = _mm512_cmp_ps_mask(x.v, _mm512_setzero_ps(), _CMP_LT_OQ);
    return {_mm512_mask_mov_ps(otherwise.v, negative, then.v)};
  }
  friend I32 unless_nan(F32 x, I32 rounded) {
    const __mmask16 nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
    return {_mm512_mask_or_epi32(rounded.v, nan, x.bits().v, _mm512_set1_epi32(0x400000))};
  }
  friend F32 first_lanes(F32 x, size_t count, F32 others) {
    return {_mm512_mask_mov_ps(others.v, first_of_16(count), x.v)};
  }
  friend float sum_lanes(F32 x) { return _mm512_reduce_add_ps(x.v); }
  friend float max_lanes(F32 x) { return _mm512_reduce_max_ps(x.v); }
  friend float min_lanes(F32 x) { return _mm512_reduce_min_ps(x.v); }
  friend I32 to_int(F32 x) { return {_mm512_cvtps_epi32(x.v)}; }

  friend void store_f16(uint16_t* to, F32 low, F32 high) {
    constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    const __m256i halves[2] = {_mm512_cvtps_ph(low.v, kRounding), _mm512_cvtps_ph(high.v, kRounding)};
    _mm512_storeu_si512(to, _mm512_inserti64x4(_mm512_castsi256_si512(halves[0]), halves[1], 1));
  }
  friend I32 round_to_i8(F32 x) {
    const __m512 limit = _mm512_set1_ps(127);
    const __mmask16 number = _mm512_cmp_ps_mask(x.v, x.v, _CMP_ORD_Q);
    const __m512 clamped =
        _mm512_maskz_min_ps(number, _mm512_max_ps(x.v, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
    return {_mm512_cvtps_epi32(clamped)};
  }
  static void store_positive(uint8_t* to, const float* from) {
    // Lanes of each half in reverse, so that the mask has the first element in a byte's most significant bit.
    const __m512i reverse = _mm512_set_epi32(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    const __m512 x = _mm512_permutexvar_ps(reverse, _mm512_loadu_ps(from));
    const unsigned bits = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ);
    to[0] = static_cast<uint8_t>(bits);
    to[1] = static_cast<uint8_t>(bits >> 8);
  }
};

// 8 float64, from and to float32.
struct F64 {
  static constexpr size_t kLanes = 8;
  static constexpr size_t kSums = 16;
  __m512d v;

  static F64 of(double x) { return {_mm512_set1_pd(x)}; }
  static F64 load(const float* at) { return {_mm512_cvtps_pd(_mm256_loadu_ps(at))}; }
  static F64 load(const float* at, size_t count) {
    return {_mm512_cvtps_pd(_mm256_maskz_loadu_ps(first_of_8(count), at))};
  }
  void store(float* to) const { _mm256_storeu_ps(to, _mm512_cvtpd_ps(v)); }
  void store(float* to, size_t count) const {
    _mm256_mask_storeu_ps(to, first_of_8(count), _mm512_cvtpd_ps(v));
  }

  friend F64 operator+(F64 a, F64 b) { return {_mm512_add_pd(a.v, b.v)}; }
  friend F64 operator*(F64 a, F64 b) { return {_mm512_mul_pd(a.v, b.v)}; }
  friend F64 operator/(F64 a, F64 b) { return {_mm512_div_pd(a.v, b.v)}; }
  friend F64 fma(F64 a, F64 b, F64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  friend double sum_lanes(F64 x) {
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(x.v), _mm512_extractf64x4_pd(x.v, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
};

// 64 bytes of text, and a bit for each.
struct Bytes {
  static constexpr size_t kLanes = 64;
  __m512i v;

  struct Mask {
    uint64_t v;
    static Mask all_if(bool set) { return {set ? ~uint64_t{0} : 0}; }
    friend Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
    friend Mask operator|(Mask a, Mask b) { return {a.v | b.v}; }
    friend Mask and_not(Mask a, Mask b) { return {a.v & ~b.v}; }
    friend uint64_t bits_of(const Mask (&mask)[1]) { return mask[0].v; }
  };

  static Bytes of(uint8_t x) { return {_mm512_set1_epi8(static_cast<char>(x))}; }
  static Bytes load(const char* at) { return {_mm512_loadu_si512(at)}; }
  // `count` of them, fewer than 64, and zeros.
  static Bytes load(const char* at, size_t count) {
    return {_mm512_maskz_loadu_epi8((uint64_t{1} << count) - 1, at)};
  }
  void store(char* to) const { _mm512_storeu_si512(to, v); }
  // Of signed bytes: four products in each lane.
  friend I32 sums_of_products(Bytes a, Bytes b) {
    const __m512i low = _mm512_madd_epi16(_mm512_cvtepi8_epi16(_mm512_castsi512_si256(a.v)),
                                          _mm512_cvtepi8_epi16(_mm512_castsi512_si256(b.v)));
    const __m512i high = _mm512_madd_epi16(_mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(a.v, 1)),
                                           _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(b.v, 1)));
    return {_mm512_add_epi32(low, high)};
  }
  // By a table of the bits in each half byte; every other lane is 0.
  friend I32 differing_bits(Bytes a, Bytes b) {
    const __m512i counts =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i half = _mm512_set1_epi8(15), x = _mm512_xor_si512(a.v, b.v);
    const __m512i low = _mm512_shuffle_epi8(counts, _mm512_and_si512(x, half));
    const __m512i high = _mm512_shuffle_epi8(counts, _mm512_and_si512(_mm512_srli_epi16(x, 4), half));
    return {_mm512_sad_epu8(_mm512_add_epi8(low, high), _mm512_setzero_si512())};
  }
  friend Bytes operator|(Bytes a, Bytes b) { return {_mm512_or_si512(a.v, b.v)}; }
  Mask is(uint8_t x) const { return {_mm512_cmpeq_epi8_mask(v, of(x).v)}; }
  Mask between(uint8_t first, uint8_t last) const {
    return {
        _mm512_cmple_epu8_mask(_mm512_sub_epi8(v, of(first).v), of(static_cast<uint8_t>(last - first)).v)};
  }
  Mask is_ascii_but_zero() const { return {_mm512_cmpgt_epi8_mask(v, _mm512_setzero_si512())}; }
  Bytes with(Mask where, uint8_t bits) const {
    return {_mm512_or_si512(v, _mm512_maskz_mov_epi8(where.v, of(bits).v))};
  }
};

}  // namespace
}  // namespace gteway::kernels::avx512
