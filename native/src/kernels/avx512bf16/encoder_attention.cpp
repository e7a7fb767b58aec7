// Attention in bfloat16: scores, softmax and sums are float32.
#include "kernels/avx512/encoder_attention.hpp"

#include "kernels/avx512bf16/encoder_dot.hpp"

namespace gteway::kernels::avx512bf16 {
namespace {

struct FormatBf16 {
  using Dot = DotBf16;
  static void pack_values(const uint16_t* row, const uint16_t* next, char* to) {
    const __m512i even = _mm512_loadu_si512(row);
    const __m512i odd = next == nullptr ? _mm512_setzero_si512() : _mm512_loadu_si512(next);
    // Dimension d of both keys beside each other: lanes d of `even` and 32 + d of `odd`.
    const __m512i ramp = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i first =
        _mm512_or_si512(ramp, _mm512_slli_epi32(_mm512_add_epi32(ramp, _mm512_set1_epi32(32)), 16));
    const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
    _mm512_store_si512(to, _mm512_permutex2var_epi16(even, first, odd));
    _mm512_store_si512(to + 64, _mm512_permutex2var_epi16(even, second, odd));
  }
  static void store_weights(uint16_t* to, __m512 x) { store(to, x); }
  static void store_output(uint16_t* to, __m512 x) { store(to, x); }

 private:
  static void store(uint16_t* to, __m512 x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x));
  }
};

}  // namespace

size_t attention_scratch_bf16(size_t tokens, size_t head_size) noexcept {
  return Attention<FormatBf16>::Scratch(tokens, head_size).bytes;
}

void attention_bf16(const AttentionHead& head, void* scratch) noexcept {
  Attention<FormatBf16>::attend(head, scratch);
}

}  // namespace gteway::kernels::avx512bf16
