#include "tokenizer/pretokenizer.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gteway {

ByteKinds::ByteKinds(const Normalizer::Switches& switches) noexcept {
  for (unsigned byte = 0; byte < 256; ++byte) {
    ByteKind kind = ByteKind::kOther;
    char folded = static_cast<char>(byte);
    if (byte < 0x80) {
      const uint16_t flags = unicode::properties(byte).flags;
      const bool cleaned = switches.clean_text && (flags & unicode::kControl);
      if (cleaned) {
        kind = ByteKind::kOther;
      } else if (flags & unicode::kWhitespace) {
        kind = ByteKind::kSeparator;
      } else if (flags & unicode::kPunctuation) {
        kind = ByteKind::kPunctuation;
      } else {
        kind = ByteKind::kLetter;
      }
      if (switches.lowercase && byte >= 'A' && byte <= 'Z') folded = static_cast<char>(byte + ('a' - 'A'));
      if (byte == 0) {
        kind = ByteKind::kOther;
        folded = static_cast<char>(0xFF);
      }
    }
    kinds_[byte] = kind;
    folded_[byte] = folded;
  }
}

void ScannedBlock::scan(std::string_view text, const ByteKinds& kinds) noexcept {
  size_t started = 0, ended = 0;
  uint64_t in_word_before = 0, punctuation_before = 0;
  for (size_t at = 0; at < text.size(); at += 64) {
    const size_t bytes = std::min<size_t>(64, text.size() - at);
    uint64_t in_word = 0, punctuation = 0, others = 0;
    for (size_t i = 0; i < bytes; ++i) {
      const char byte = text[at + i];
      const ByteKind kind = kinds[byte];
      in_word |= uint64_t{kind >= ByteKind::kLetter} << i;
      punctuation |= uint64_t{kind == ByteKind::kPunctuation} << i;
      others |= uint64_t{kind == ByteKind::kOther} << i;
      folded[at + i] = kinds.folded(byte);
    }
    other[at / 64] = others;
    const uint64_t after_word = in_word << 1 | in_word_before,
                   after_punctuation = punctuation << 1 | punctuation_before;
    uint64_t start_bits = (in_word & ~after_word) | punctuation;
    uint64_t end_bits = (after_word & ~in_word) | after_punctuation;
    in_word_before = in_word >> 63;
    punctuation_before = punctuation >> 63;
    // Bits behind a short last block are no bytes; the end there is set below.
    if (bytes < 64) end_bits &= (uint64_t{1} << bytes) - 1;
    for (; start_bits != 0; start_bits &= start_bits - 1)
      starts[started++] = static_cast<uint16_t>(at + static_cast<size_t>(std::countr_zero(start_bits)));
    for (; end_bits != 0; end_bits &= end_bits - 1)
      ends[ended++] = static_cast<uint16_t>(at + static_cast<size_t>(std::countr_zero(end_bits)));
  }
  if (ended < started) ends[ended] = static_cast<uint16_t>(text.size());
  words = started;
}

}  // namespace gteway
