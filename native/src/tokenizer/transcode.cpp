#include "tokenizer/transcode.hpp"

#include <cstring>

#include "tokenizer/utf8.hpp"

namespace gteway {

// How many bytes at the beginning of `text` are ASCII, to within 32.
static size_t ascii_prefix(std::string_view text) noexcept {
  size_t at = 0;
  for (; at + 32 <= text.size(); at += 32) {
    uint64_t words[4];
    std::memcpy(words, text.data() + at, sizeof words);
    if (((words[0] | words[1]) | (words[2] | words[3])) & 0x8080808080808080) return at;
  }
  for (size_t rest = at; rest < text.size(); ++rest)
    if (text[rest] & 0x80) return at;
  return text.size();
}

std::string_view utf8_of_latin1(std::string_view text, std::string& storage) {
  const size_t ascii = ascii_prefix(text);
  if (ascii == text.size()) return text;
  storage.resize(2 * text.size());
  std::memcpy(storage.data(), text.data(), ascii);
  char* out = storage.data() + ascii;
  for (size_t at = ascii; at < text.size(); ++at)
    out += utf8::encode(static_cast<unsigned char>(text[at]), out);
  return {storage.data(), static_cast<size_t>(out - storage.data())};
}

std::string_view utf8_of_utf16(std::u16string_view text, std::string& storage) {
  storage.resize(3 * text.size());
  char* out = storage.data();
  for (size_t at = 0; at < text.size();) {
    // Four units at a time while they are ASCII, which most are.
    for (; at + 4 <= text.size(); at += 4) {
      uint64_t units;
      std::memcpy(&units, text.data() + at, sizeof units);
      if (units & 0xFF80FF80FF80FF80) break;
      for (size_t i = 0; i < 4; ++i) *out++ = static_cast<char>(text[at + i]);
    }
    if (at == text.size()) break;
    char32_t point = text[at++];
    if (point >= 0xD800 && point <= 0xDFFF) {
      const bool paired = point < 0xDC00 && at < text.size() && text[at] >= 0xDC00 && text[at] <= 0xDFFF;
      point = paired ? 0x10000 + ((point - 0xD800) << 10) + (text[at++] - 0xDC00) : utf8::kReplacement;
    }
    out += utf8::encode(point, out);
  }
  return {storage.data(), static_cast<size_t>(out - storage.data())};
}

}  // namespace gteway
