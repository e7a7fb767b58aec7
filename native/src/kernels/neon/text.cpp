// The kinds of 64 bytes at a time. NEON has no movemask: each byte keeps one bit, and pairwise additions
// gather four vectors of them into a word.
#include <arm_neon.h>

#include "kernels/contract.hpp"

namespace gteway::kernels::neon {
namespace {

inline uint8x16_t is_between(uint8x16_t bytes, uint8_t first, uint8_t last) {
  return vcleq_u8(vsubq_u8(bytes, vdupq_n_u8(first)), vdupq_n_u8(static_cast<uint8_t>(last - first)));
}

inline uint8x16_t is(uint8x16_t bytes, uint8_t byte) { return vceqq_u8(bytes, vdupq_n_u8(byte)); }

inline uint64_t bits(const uint8x16_t (&masks)[4]) {
  const uint8x16_t places = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
  const uint8x16_t low = vpaddq_u8(vandq_u8(masks[0], places), vandq_u8(masks[1], places));
  const uint8x16_t high = vpaddq_u8(vandq_u8(masks[2], places), vandq_u8(masks[3], places));
  const uint8x16_t quarter = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(quarter, quarter)), 0);
}

}  // namespace

void classify_text(const char* text, size_t blocks, unsigned options, char* folded, uint64_t* in_word,
                   uint64_t* punctuation, uint64_t* other) noexcept {
  const uint8x16_t fold = vdupq_n_u8(options & kFoldCase ? 0x20 : 0);
  const uint8x16_t keep_controls = vdupq_n_u8(options & kKeepControls ? 0xFF : 0);
  for (size_t block = 0; block < blocks; ++block) {
    uint8x16_t words[4], marks[4], others[4];
    for (size_t part = 0; part < 4; ++part) {
      const size_t at = block * 64 + part * 16;
      const uint8x16_t bytes = vld1q_u8(reinterpret_cast<const uint8_t*>(text + at));
      const uint8x16_t zero = is(bytes, 0);
      const uint8x16_t alphabetic = is_between(vorrq_u8(bytes, vdupq_n_u8(0x20)), 'a', 'z');
      const uint8x16_t letters = vorrq_u8(alphabetic, is_between(bytes, '0', '9'));
      const uint8x16_t graphic = is_between(bytes, 0x21, 0x7E);
      const uint8x16_t spaces = vorrq_u8(
          vorrq_u8(vorrq_u8(is(bytes, ' '), is(bytes, '\t')), vorrq_u8(is(bytes, '\n'), is(bytes, '\r'))),
          vandq_u8(keep_controls, is_between(bytes, 0x0B, 0x0C)));
      marks[part] = vbicq_u8(graphic, letters);
      words[part] = vmvnq_u8(vorrq_u8(marks[part], spaces));
      others[part] = vbslq_u8(keep_controls, vorrq_u8(zero, vcgeq_u8(bytes, vdupq_n_u8(0x80))),
                              vmvnq_u8(vorrq_u8(graphic, spaces)));
      const uint8x16_t lower = vorrq_u8(bytes, vandq_u8(alphabetic, fold));
      vst1q_u8(reinterpret_cast<uint8_t*>(folded + at), vorrq_u8(lower, zero));
    }
    in_word[block] = bits(words);
    punctuation[block] = bits(marks);
    other[block] = bits(others);
  }
}

}  // namespace gteway::kernels::neon
