#include "tokenizer/pretokenizer.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/kernels.hpp"

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

ByteScanner::ByteScanner(const Normalizer::Switches& switches)
    : classify(kernels::active().classify_text),
      options((switches.lowercase ? kernels::kFoldCase : 0u) |
              (switches.clean_text ? 0u : kernels::kKeepControls)) {}

// std::popcount is a call into the compiler's library where the instruction is not certain to exist.
static size_t count_bits(uint64_t bits) noexcept {
  bits -= bits >> 1 & 0x5555555555555555;
  bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
  return ((bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101 >> 56;
}

// Writes the places of the bits, `at` added, and returns how many there are. Eight are written at a time,
// whatever there is, so that the loop's length is easy to predict.
static size_t put_places(uint64_t bits, size_t at, uint16_t* places) noexcept {
  size_t written = 0;
  const size_t count = count_bits(bits);
  do {
    for (size_t i = 0; i < 8; ++i) {
      places[written + i] = static_cast<uint16_t>(at + static_cast<size_t>(std::countr_zero(bits)));
      bits &= bits - 1;
    }
    written += 8;
  } while (written < count);
  return count;
}

void ScannedBlock::scan(std::string_view text, const ByteScanner& scanner) noexcept {
  uint64_t in_word[kBytes / 64], punctuation[kBytes / 64];
  const size_t whole = text.size() / 64, rest = text.size() % 64;
  scanner.classify(text.data(), whole, scanner.options, folded, in_word, punctuation, other);
  size_t blocks = whole;
  if (rest > 0) {
    // Spaces behind the last byte: they are in no word.
    char last[64];
    std::memset(last, ' ', sizeof last);
    std::memcpy(last, text.data() + whole * 64, rest);
    scanner.classify(last, 1, scanner.options, folded + whole * 64, in_word + whole, punctuation + whole,
                     other + whole);
    ++blocks;
  }
  size_t started = 0, ended = 0;
  uint64_t in_word_before = 0, punctuation_before = 0;
  for (size_t block = 0; block < blocks; ++block) {
    const uint64_t inside = in_word[block], marks = punctuation[block];
    const uint64_t after_word = inside << 1 | in_word_before, after_mark = marks << 1 | punctuation_before;
    started += put_places((inside & ~after_word) | marks, block * 64, starts + started);
    ended += put_places((after_word & ~inside) | after_mark, block * 64, ends + ended);
    in_word_before = inside >> 63;
    punctuation_before = marks >> 63;
  }
  if (ended < started) ends[ended] = static_cast<uint16_t>(text.size());
  words = started;
}

}  // namespace gteway
