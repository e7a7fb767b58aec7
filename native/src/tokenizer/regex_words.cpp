#include "tokenizer/regex_words.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "tokenizer/text_classes.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

namespace {

enum Kind : uint8_t { kOther, kLetter, kNumber, kSpace };

constexpr std::array<Kind, 128> kAscii = [] {
  std::array<Kind, 128> kinds{};
  for (size_t byte = 0; byte < kinds.size(); ++byte) {
    kinds[byte] = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ? kLetter
                  : byte >= '0' && byte <= '9'                                 ? kNumber
                  : byte == ' ' || (byte >= 9 && byte <= 13)                   ? kSpace
                                                                               : kOther;
  }
  return kinds;
}();

struct Character {
  Kind kind;
  uint32_t bytes;
};

inline Character character(std::string_view text, size_t at) noexcept {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {kAscii[byte], 1};
  const utf8::Decoded next = utf8::decode(text, at);
  const uint16_t classes = unicode::text_classes(next.point);
  return {classes & unicode::kLetter   ? kLetter
          : classes & unicode::kNumber ? kNumber
          : classes & unicode::kSpace  ? kSpace
                                       : kOther,
          next.bytes};
}

inline size_t run(Kind kind, std::string_view text, size_t at, size_t most = SIZE_MAX) noexcept {
  while (at < text.size() && most-- > 0) {
    const Character next = character(text, at);
    if (next.kind != kind) break;
    at += next.bytes;
  }
  return at;
}

// 's 't 're 've 'm 'll 'd; 0 where text[at], an apostrophe, begins none.
size_t contraction(std::string_view text, size_t at, bool any_case) noexcept {
  const auto letter = [&](size_t i) {
    if (at + i >= text.size()) return '\0';
    const char byte = text[at + i];
    return any_case && byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l'))
    return at + 3;
  // LATIN SMALL LETTER LONG S is an s of another case.
  if (any_case && text.substr(at + 1, 2) == "\xC5\xBF") return at + 3;
  return 0;
}

// `\s+(?!\S)|\s+`: white space but for the last one in front of something else.
size_t spaces(std::string_view text, size_t at) noexcept {
  size_t end = at, last = at;
  while (end < text.size()) {
    const Character next = character(text, end);
    if (next.kind != kSpace) return last > at ? last : end;
    last = end;
    end += next.bytes;
  }
  return end;
}

size_t gpt2_end(std::string_view text, size_t at) noexcept {
  if (text[at] == '\'') {
    if (const size_t end = contraction(text, at, false); end > 0) return end;
  }
  const Character first = character(text, at);
  if (first.kind != kSpace) return run(first.kind, text, at + first.bytes);
  if (text[at] == ' ' && at + 1 < text.size()) {
    const Character next = character(text, at + 1);
    if (next.kind != kSpace) return run(next.kind, text, at + 1 + next.bytes);
  }
  return spaces(text, at);
}

bool is_newline(char byte) { return byte == '\r' || byte == '\n'; }

size_t newlines(std::string_view text, size_t at) noexcept {
  while (at < text.size() && is_newline(text[at])) ++at;
  return at;
}

size_t cl100k_end(std::string_view text, size_t at, size_t digits) noexcept {
  if (text[at] == '\'') {
    if (const size_t end = contraction(text, at, true); end > 0) return end;
  }
  const Character first = character(text, at);
  const size_t behind = at + first.bytes;
  if (first.kind == kLetter) return run(kLetter, text, behind);
  if (first.kind == kNumber) return run(kNumber, text, behind, digits - 1);
  const Character next = behind < text.size() ? character(text, behind) : Character{kSpace, 0};
  if (!is_newline(text[at]) && next.kind == kLetter) return run(kLetter, text, behind + next.bytes);
  if (first.kind == kOther) return newlines(text, run(kOther, text, behind));
  if (text[at] == ' ' && next.kind == kOther) return newlines(text, run(kOther, text, behind + next.bytes));
  // `\s*[\r\n]+`: up to the last line end of the white space.
  size_t line_end = 0;
  for (size_t end = at; end < text.size();) {
    const Character space = character(text, end);
    if (space.kind != kSpace) break;
    const bool newline = is_newline(text[end]);
    end += space.bytes;
    if (newline) line_end = end;
  }
  return line_end > 0 ? line_end : spaces(text, at);
}

}  // namespace

size_t regex_word_end(WordRegex regex, std::string_view text, size_t at) noexcept {
  switch (regex) {
    case WordRegex::kGpt2:
      return gpt2_end(text, at);
    case WordRegex::kCl100k:
      return cl100k_end(text, at, 3);
    case WordRegex::kQwen:
      return cl100k_end(text, at, 1);
  }
  return text.size();
}

}  // namespace gteway
