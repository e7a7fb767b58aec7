// The kinds of 64 bytes at a time; a range is one subtraction and one unsigned comparison.
#include <immintrin.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::avx512 {
namespace {

inline __mmask64 is_between(__m512i bytes, char first, char last) {
  return _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8(first)),
                                _mm512_set1_epi8(static_cast<char>(last - first)));
}

inline __mmask64 is(__m512i bytes, char byte) {
  return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte));
}

}  // namespace

void classify_text(const char* text, size_t blocks, unsigned options, char* folded, uint64_t* in_word,
                   uint64_t* punctuation, uint64_t* other) noexcept {
  const __m512i case_bit = _mm512_set1_epi8(0x20);
  const uint64_t fold = options & kFoldCase ? ~uint64_t{0} : 0;
  const uint64_t keep_controls = options & kKeepControls ? ~uint64_t{0} : 0;
  for (size_t block = 0; block < blocks; ++block) {
    const __m512i bytes = _mm512_loadu_si512(text + block * 64);
    const uint64_t zero = _mm512_testn_epi8_mask(bytes, bytes);
    const uint64_t alphabetic = is_between(_mm512_or_si512(bytes, case_bit), 'a', 'z');
    const uint64_t upper = alphabetic & _mm512_testn_epi8_mask(bytes, case_bit);
    const uint64_t letters = alphabetic | is_between(bytes, '0', '9');
    const uint64_t graphic = is_between(bytes, 0x21, 0x7E);
    const uint64_t spaces = is(bytes, ' ') | is(bytes, '\t') | is(bytes, '\n') | is(bytes, '\r') |
                            (keep_controls & is_between(bytes, 0x0B, 0x0C));
    const uint64_t marks = graphic & ~letters;
    punctuation[block] = marks;
    in_word[block] = ~(marks | spaces);
    other[block] =
        (keep_controls & (zero | _mm512_movepi8_mask(bytes))) | (~keep_controls & ~(graphic | spaces));
    const __m512i lower = _mm512_mask_add_epi8(bytes, fold & upper, bytes, case_bit);
    _mm512_storeu_si512(folded + block * 64, _mm512_mask_mov_epi8(lower, zero, _mm512_set1_epi8(-1)));
  }
}

}  // namespace gteway::kernels::avx512
