// The kinds of 32 bytes at a time. Comparisons are of signed bytes: x ≤ n, unsigned, is min(x, n) == x.
#include <immintrin.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::avx2 {
namespace {

inline __m256i is_between(__m256i bytes, char first, char last) {
  const __m256i from_first = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first));
  return _mm256_cmpeq_epi8(_mm256_min_epu8(from_first, _mm256_set1_epi8(static_cast<char>(last - first))),
                           from_first);
}

inline __m256i is(__m256i bytes, char byte) { return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte)); }

inline uint32_t bits(__m256i mask) { return static_cast<uint32_t>(_mm256_movemask_epi8(mask)); }

struct Kinds {
  uint32_t in_word, punctuation, other;
};

inline Kinds classify_half(const char* text, __m256i fold, __m256i keep_controls, char* folded) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  const __m256i case_bit = _mm256_set1_epi8(0x20);
  const __m256i zero = is(bytes, 0);
  const __m256i alphabetic = is_between(_mm256_or_si256(bytes, case_bit), 'a', 'z');
  const __m256i letters = _mm256_or_si256(alphabetic, is_between(bytes, '0', '9'));
  const __m256i graphic = is_between(bytes, 0x21, 0x7E);
  const __m256i spaces = _mm256_or_si256(_mm256_or_si256(_mm256_or_si256(is(bytes, ' '), is(bytes, '\t')),
                                                         _mm256_or_si256(is(bytes, '\n'), is(bytes, '\r'))),
                                         _mm256_and_si256(keep_controls, is_between(bytes, 0x0B, 0x0C)));
  const __m256i marks = _mm256_andnot_si256(letters, graphic);
  const __m256i lower =
      _mm256_or_si256(bytes, _mm256_and_si256(_mm256_and_si256(alphabetic, fold), case_bit));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(folded), _mm256_or_si256(lower, zero));
  const uint32_t kept = bits(keep_controls);
  return {~bits(_mm256_or_si256(marks, spaces)), bits(marks),
          (kept & (bits(zero) | bits(bytes))) | (~kept & ~bits(_mm256_or_si256(graphic, spaces)))};
}

}  // namespace

void classify_text(const char* text, size_t blocks, unsigned options, char* folded, uint64_t* in_word,
                   uint64_t* punctuation, uint64_t* other) noexcept {
  const __m256i fold = _mm256_set1_epi8(options & kFoldCase ? -1 : 0);
  const __m256i keep_controls = _mm256_set1_epi8(options & kKeepControls ? -1 : 0);
  for (size_t block = 0; block < blocks; ++block) {
    const Kinds low = classify_half(text + block * 64, fold, keep_controls, folded + block * 64);
    const Kinds high = classify_half(text + block * 64 + 32, fold, keep_controls, folded + block * 64 + 32);
    in_word[block] = uint64_t{high.in_word} << 32 | low.in_word;
    punctuation[block] = uint64_t{high.punctuation} << 32 | low.punctuation;
    other[block] = uint64_t{high.other} << 32 | low.other;
  }
}

}  // namespace gteway::kernels::avx2
