// UTF-8, read forgivingly and written exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gteway::utf8 {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t point;
  uint32_t bytes;  // ≥ 1
};

// The code point at text[at], at < text.size(). A malformed sequence gives U+FFFD for its longest well-formed
// beginning, as the WHATWG decoder does (The Unicode Standard, section 3.9, "U+FFFD Substitution of Maximal
// Subparts").
inline Decoded decode(std::string_view text, size_t at) noexcept {
  const auto byte = [&](size_t i) -> uint32_t {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xC2 || lead > 0xF4) return {kReplacement, 1};
  uint32_t low = 0x80, high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  const uint32_t second = byte(1);
  if (second < low || second > high) return {kReplacement, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (second & 0x3F), 2};
  const uint32_t third = byte(2);
  if ((third & 0xC0) != 0x80) return {kReplacement, 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (second & 0x3F) << 6 | (third & 0x3F), 3};
  const uint32_t fourth = byte(3);
  if ((fourth & 0xC0) != 0x80) return {kReplacement, 3};
  return {(lead & 0x07) << 18 | (second & 0x3F) << 12 | (third & 0x3F) << 6 | (fourth & 0x3F), 4};
}

// The code point that ends before text[at], 0 < at ≤ text.size(); U+FFFD for one byte where none does.
inline Decoded decode_before(std::string_view text, size_t at) noexcept {
  for (size_t bytes = 1; bytes <= 4 && bytes <= at; ++bytes) {
    if ((static_cast<unsigned char>(text[at - bytes]) & 0xC0) == 0x80) continue;
    const Decoded found = decode(text.substr(0, at), at - bytes);
    if (found.bytes == bytes) return found;
    break;
  }
  return {kReplacement, 1};
}

// How many bytes the text's first `points` code points take: all of them where it has fewer.
inline size_t bytes_of_points(std::string_view text, size_t points) noexcept {
  size_t at = 0;
  for (; points > 0 && at < text.size(); --points) at += decode(text, at).bytes;
  return at;
}

inline size_t count_points(std::string_view text) noexcept {
  size_t points = 0;
  for (size_t at = 0; at < text.size(); ++points) at += decode(text, at).bytes;
  return points;
}

// Writes at most 4 bytes and returns how many. `point` is a scalar value.
inline size_t encode(char32_t point, char* out) noexcept {
  if (point < 0x80) {
    out[0] = static_cast<char>(point);
    return 1;
  }
  if (point < 0x800) {
    out[0] = static_cast<char>(0xC0 | point >> 6);
    out[1] = static_cast<char>(0x80 | (point & 0x3F));
    return 2;
  }
  if (point < 0x10000) {
    out[0] = static_cast<char>(0xE0 | point >> 12);
    out[1] = static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out[2] = static_cast<char>(0x80 | (point & 0x3F));
    return 3;
  }
  out[0] = static_cast<char>(0xF0 | point >> 18);
  out[1] = static_cast<char>(0x80 | (point >> 12 & 0x3F));
  out[2] = static_cast<char>(0x80 | (point >> 6 & 0x3F));
  out[3] = static_cast<char>(0x80 | (point & 0x3F));
  return 4;
}

inline void append(std::string& out, char32_t point) {
  char bytes[4];
  out.append(bytes, encode(point, bytes));
}

}  // namespace gteway::utf8
