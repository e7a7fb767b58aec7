// What regular expressions, normal forms and grapheme clusters need to know of each code point, beside
// unicode.hpp.
//
// The data is generated from Hugging Face tokenizers 0.23.2 itself (scripts/generate-text-classes.mjs), whose
// regular expressions, normal forms and clusters each follow a Unicode version of their own.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gteway::unicode {

enum TextClass : uint16_t {
  kLetter = 1 << 0,          // \p{L}
  kNumber = 1 << 1,          // \p{N}
  kSpace = 1 << 2,           // \s
  kMark = 1 << 3,            // \p{M}
  kNumeric = 1 << 4,         // the Digits pre-tokenizer parts it from what is not
  kAttaches = 1 << 5,        // continues a grapheme cluster
  kPrepends = 1 << 6,        // begins a cluster that goes on with any other character
  kClusterControl = 1 << 7,  // a cluster of its own
  kPictographic = 1 << 8,    // joins another one across a ZERO WIDTH JOINER
  kNfcInert = 1 << 9,        // NFC leaves it, whatever stands around it; likewise NFKC
  kNfkcInert = 1 << 10,
  kCombining = 1 << 11,  // the StripAccents normalizer removes it
};

struct Composition {
  char32_t first, second, composed;
};
struct Compatibility {
  char32_t point;
  uint16_t offset, length;  // of the full compatibility decomposition in the pool
};

namespace data {
extern const uint16_t kClassIndex[];
extern const uint16_t kClassBlocks[];
extern const Composition kCompositions[];  // ordered by first, second
extern const size_t kCompositionsSize;
extern const Compatibility kCompatibility[];  // ordered by point
extern const size_t kCompatibilitySize;
extern const char32_t kCompatibilityPool[];
}  // namespace data

inline uint16_t text_classes(char32_t point) noexcept {
  const uint32_t block = data::kClassIndex[point >> 7];
  return data::kClassBlocks[block << 7 | (point & 127)];
}

}  // namespace gteway::unicode
