// What the BERT normalizer and pre-tokenizer need to know of each code point.
//
// The data is generated from Hugging Face tokenizers 0.23.2 itself (scripts/generate-unicode-tables.mjs),
// whose tables mix Unicode versions. Surrogates and values above 0x10FFFF have no entry and must not be asked
// for.
#pragma once

#include <cstdint>

namespace gteway::unicode {

enum Flag : uint16_t {
  kControl = 1 << 0,         // clean_text removes it
  kCleanedToSpace = 1 << 1,  // clean_text makes U+0020 of it
  kWhitespace = 1 << 2,      // separates words
  kChinese = 1 << 3,         // handle_chinese_chars puts a space on both sides
  kNonspacingMark = 1 << 4,  // strip_accents removes it, after decomposition
  kPunctuation = 1 << 5,     // is a word of its own
  kWord = 1 << 6,            // \w: a `single_word` added token does not match beside it
  kHangul = 1 << 7,          // a precomposed syllable, decomposed by arithmetic
  kDecomposes = 1 << 8,      // has a canonical decomposition, in the pool
  kLowers = 1 << 9,          // has another lower-case form, in the pool
  kReorders = 1 << 10,       // canonical ordering may move it: `rank` is not 0
};

struct Properties {
  uint16_t flags;
  uint8_t rank;  // order of its canonical combining class, without gaps; 0 for class 0
  uint8_t decomposition_length;
  uint16_t decomposition;  // full canonical decomposition, at this place of the pool
  uint8_t lower_length;
  uint16_t lower;
};

namespace data {
extern const Properties kRecords[];
extern const char32_t kPool[];
extern const uint16_t kBlockIndex[];
extern const uint16_t kBlocks[];
}  // namespace data

inline const Properties& properties(char32_t point) noexcept {
  const uint32_t block = data::kBlockIndex[point >> 7];
  return data::kRecords[data::kBlocks[block << 7 | (point & 127)]];
}

// Calls emit(char32_t) for each code point of the full canonical decomposition.
template <class Emit>
void decompose(char32_t point, const Properties& of_point, Emit&& emit) {
  if (of_point.flags & kHangul) {
    // The Unicode Standard, section 3.12, "Hangul Syllable Decomposition".
    const char32_t syllable = point - 0xAC00;
    emit(0x1100 + syllable / 588);
    emit(0x1161 + syllable % 588 / 28);
    if (syllable % 28 != 0) emit(0x11A7 + syllable % 28);
  } else if (of_point.flags & kDecomposes) {
    for (unsigned i = 0; i < of_point.decomposition_length; ++i)
      emit(data::kPool[of_point.decomposition + i]);
  } else {
    emit(point);
  }
}

// Calls emit(char32_t) for each code point of the lower-case form.
template <class Emit>
void lowercase(char32_t point, const Properties& of_point, Emit&& emit) {
  if (of_point.flags & kLowers) {
    for (unsigned i = 0; i < of_point.lower_length; ++i) emit(data::kPool[of_point.lower + i]);
  } else {
    emit(point);
  }
}

}  // namespace gteway::unicode
