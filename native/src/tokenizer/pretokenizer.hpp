// Stage two: BertPreTokenizer. White space separates words, every punctuation character is a word of its own.
//
// Two forms: split() for text that has been normalized, one code point at a time, and scan() for the common
// case, ASCII that stage one only lower-cases, a block at a time. scan() leaves whatever is more than that to
// the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/contract.hpp"
#include "tokenizer/normalizer.hpp"

namespace gteway {

// What a byte of the text is before anything has been decoded.
enum class ByteKind : uint8_t {
  kSeparator,    // ASCII white space
  kPunctuation,  // ASCII punctuation
  kLetter,       // any other ASCII character that normalization keeps, or only lower-cases
  kOther,        // part of a character that needs the whole normalizer
};

class ByteKinds {
 public:
  explicit ByteKinds(const Normalizer::Switches& switches) noexcept;
  ByteKind operator[](char byte) const noexcept { return kinds_[static_cast<unsigned char>(byte)]; }
  bool in_word(char byte) const noexcept { return (*this)[byte] >= ByteKind::kLetter; }
  // The byte lower-cased if the normalizer does that; a zero byte, which WordKey cannot hold, as 0xFF.
  char folded(char byte) const noexcept { return folded_[static_cast<unsigned char>(byte)]; }

 private:
  std::array<ByteKind, 256> kinds_;
  std::array<char, 256> folded_;
};

// The kernel that tells the kinds of many bytes, and how to call it.
struct ByteScanner {
  explicit ByteScanner(const Normalizer::Switches& switches);
  kernels::ClassifyText* classify;
  unsigned options;
};

// The words of a stretch of text whose bytes are looked at once. A run of letters and other bytes is one word
// here; runs with other bytes in them may turn out to be several words, or none.
struct ScannedBlock {
  static constexpr size_t kBytes = 2048;
  static constexpr size_t kPadding = 16;  // readable bytes behind the last one

  alignas(64) char folded[kBytes + kPadding];
  uint16_t starts[kBytes + 8], ends[kBytes + 8];  // word i is folded[starts[i], ends[i])
  uint64_t other[kBytes / 64];                    // bit i: byte i is of kind kOther
  size_t words;

  bool has_other(size_t start, size_t end) const noexcept {
    const size_t first = start / 64, last = (end - 1) / 64;
    const uint64_t from = ~uint64_t{0} << start % 64, until = ~uint64_t{0} >> (63 - (end - 1) % 64);
    if (first == last) return other[first] & from & until;
    uint64_t found = (other[first] & from) | (other[last] & until);
    for (size_t i = first + 1; i < last; ++i) found |= other[i];
    return found;
  }

  // `text`: at most kBytes. A word that touches its end is reported as if it ended there.
  void scan(std::string_view text, const ByteScanner& scanner) noexcept;
};

// Collects normalized code points into words. Calls word(std::string_view, bool too_long) for each; of a word
// of more than `max_chars` code points only so many are kept.
class WordBuilder {
 public:
  explicit WordBuilder(size_t max_chars) noexcept : max_chars_(max_chars) {}

  template <class Word>
  void add(char32_t point, const unicode::Properties& of_point, Word&& word) {
    if (of_point.flags & (unicode::kWhitespace | unicode::kPunctuation)) {
      finish(word);
      if (of_point.flags & unicode::kWhitespace) return;
      append(point);
      finish(word);
    } else {
      append(point);
    }
  }

  template <class Word>
  void finish(Word&& word) {
    if (chars_ == 0) return;
    word(std::string_view(bytes_), chars_ > max_chars_);
    bytes_.clear();
    chars_ = 0;
  }

 private:
  void append(char32_t point) {
    if (chars_ > max_chars_) return;
    if (++chars_ <= max_chars_) utf8::append(bytes_, point);
  }

  size_t max_chars_;
  size_t chars_ = 0;
  std::string bytes_;
};

}  // namespace gteway
