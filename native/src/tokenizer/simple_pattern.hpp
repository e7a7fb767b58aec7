// The patterns of Replace and Split: a literal, or a set of characters so and so often.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

// Where the match begins and ends that is the first at or behind `from`; both text.size() where there is
// none.
struct Found {
  size_t start, end;
};

inline Found find_pattern(const PatternConfig& pattern, std::string_view text, size_t from) {
  if (!pattern.literal.empty()) {
    const size_t at = text.find(pattern.literal, from);
    return at == text.npos ? Found{text.size(), text.size()} : Found{at, at + pattern.literal.size()};
  }
  for (size_t at = from; at < text.size();) {
    size_t end = at, count = 0;
    while (end < text.size() && count < pattern.most) {
      const utf8::Decoded next = utf8::decode(text, end);
      const bool among =
          (pattern.whitespace && (unicode::properties(next.point).flags & unicode::kWhitespace)) ||
          pattern.characters.find(next.point) != pattern.characters.npos;
      if (!among) break;
      end += next.bytes;
      ++count;
    }
    if (count >= pattern.least) return {at, end};
    // Shorter runs do not match from any place inside them either.
    at = std::max(end, at + utf8::decode(text, at).bytes);
  }
  return {text.size(), text.size()};
}

}  // namespace gteway
