// The kinds of bytes, by the definition.
#include "kernels/contract.hpp"

namespace gteway::kernels::scalar {
namespace {

inline bool is_between(unsigned char byte, unsigned char first, unsigned char last) {
  return byte >= first && byte <= last;
}

}  // namespace

void classify_text(const char* text, size_t blocks, unsigned options, char* folded, uint64_t* in_word,
                   uint64_t* punctuation, uint64_t* other) noexcept {
  const bool fold = options & kFoldCase, keep_controls = options & kKeepControls;
  for (size_t block = 0; block < blocks; ++block) {
    uint64_t words = 0, marks = 0, others = 0;
    for (size_t i = 0; i < 64; ++i) {
      const auto byte = static_cast<unsigned char>(text[block * 64 + i]);
      const bool upper = is_between(byte, 'A', 'Z');
      const bool letter = upper || is_between(byte, 'a', 'z') || is_between(byte, '0', '9');
      const bool mark = is_between(byte, 0x21, 0x7E) && !letter;
      const bool space = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' ||
                         (keep_controls && is_between(byte, 0x0B, 0x0C));
      const bool control = (byte < 0x20 || byte == 0x7F) && !space;
      const bool is_other = byte >= 0x80 || byte == 0 || (control && !keep_controls);
      words |= uint64_t{letter || control || byte >= 0x80} << i;
      marks |= uint64_t{mark} << i;
      others |= uint64_t{is_other} << i;
      const int shown = byte == 0 ? 0xFF : fold && upper ? byte + ('a' - 'A') : byte;
      folded[block * 64 + i] = static_cast<char>(shown);
    }
    in_word[block] = words;
    punctuation[block] = marks;
    other[block] = others;
  }
}

}  // namespace gteway::kernels::scalar
