#include "tokenizer/char_map.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "tokenizer/text_classes.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

namespace {

uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }
uint32_t label_of(uint32_t unit) { return unit & ((1u << 31) | 0xFF); }
bool has_leaf(uint32_t unit) { return unit >> 8 & 1; }
uint32_t value_of(uint32_t unit) { return unit & ((1u << 31) - 1); }

// Only clusters of less than six bytes are looked up, which leaves no room for Hangul, flags or Indic
// conjuncts: theirs are longer, and then every character is on its own.
constexpr size_t kLongestCluster = 5;

// Where the cluster ends that begins at `at`; some place behind kLongestCluster bytes if it is longer.
size_t cluster_end(std::string_view text, size_t at) {
  const size_t start = at;
  utf8::Decoded next = utf8::decode(text, at);
  uint16_t classes = unicode::text_classes(next.point);
  at += next.bytes;
  if (next.point == '\r' && at < text.size() && text[at] == '\n') return at + 1;
  if (classes & unicode::kClusterControl) return at;
  const auto look = [&] {
    next = utf8::decode(text, at);
    classes = unicode::text_classes(next.point);
  };
  while (classes & unicode::kPrepends && at < text.size()) {
    look();
    if (classes & unicode::kClusterControl) return at;
    at += next.bytes;
    if (at - start > kLongestCluster) return at;
  }
  const bool pictographic = classes & unicode::kPictographic;
  while (at < text.size()) {
    look();
    if (!(classes & unicode::kAttaches)) {
      const bool joined = pictographic && at - start >= 3 && text.substr(at - 3, 3) == "\xE2\x80\x8D";
      return joined && (classes & unicode::kPictographic) ? at + next.bytes : at;
    }
    at += next.bytes;
    if (at - start > kLongestCluster) return at;
  }
  return at;
}

}  // namespace

CharMap::CharMap(std::string_view bytes) {
  const auto number = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i)
      value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    return value;
  };
  const auto invalid = [] {
    return Error(ErrorCode::kTokenizerInvalid,
                 "the tokenizer's precompiled_charsmap is not a character map of SentencePiece");
  };
  if (bytes.size() < 4) throw invalid();
  const size_t size = number(0);
  if (size % 4 != 0 || size > bytes.size() - 4) throw invalid();
  for (size_t at = 4; at < 4 + size; at += 4) units_.push_back(number(at));
  replacements_ = bytes.substr(4 + size);
  for (size_t at = 0; at < replacements_.size();) {
    const utf8::Decoded next = utf8::decode(replacements_, at);
    if (next.point == utf8::kReplacement && replacements_.compare(at, 3, "\xEF\xBF\xBD") != 0)
      throw invalid();
    at += next.bytes;
  }
  for (size_t byte = 0; byte < ascii_kept_.size(); ++byte) {
    const char character = static_cast<char>(byte);
    const std::string_view text(&character, 1);
    ascii_kept_[byte] = replacement(text).value_or(text) == text && byte != '\r';
  }
}

std::optional<std::string_view> CharMap::replacement(std::string_view chunk) const noexcept {
  if (units_.empty()) return std::nullopt;
  size_t node = offset_of(units_[0]);
  for (const char each : chunk) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte == 0) break;
    node ^= byte;
    if (node >= units_.size() || label_of(units_[node]) != byte) return std::nullopt;
    const uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    const size_t start = node < units_.size() ? value_of(units_[node]) : SIZE_MAX;
    if (start > replacements_.size()) return std::nullopt;
    const size_t end = std::min(replacements_.find('\0', start), replacements_.size());
    return std::string_view(replacements_).substr(start, end - start);
  }
  return std::nullopt;
}

bool CharMap::surely_leaves(std::string_view text) const noexcept {
  return std::all_of(text.begin(), text.end(), [&](char each) {
    const auto byte = static_cast<unsigned char>(each);
    return byte < 0x80 && ascii_kept_[byte];
  });
}

void CharMap::append(std::string_view text, std::string& out) const {
  for (size_t at = 0; at < text.size();) {
    // ASCII in front of ASCII is a cluster of its own.
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80 && ascii_kept_[byte] &&
        (at + 1 == text.size() || static_cast<unsigned char>(text[at + 1]) < 0x80)) {
      out.push_back(text[at++]);
      continue;
    }
    const size_t end = cluster_end(text, at);
    const std::string_view cluster = text.substr(at, end - at);
    if (cluster.size() <= kLongestCluster) {
      if (const auto found = replacement(cluster)) {
        out += *found;
        at = end;
        continue;
      }
    }
    while (at < end) {
      const utf8::Decoded next = utf8::decode(text, at);
      const std::string_view character = text.substr(at, next.bytes);
      out += replacement(character).value_or(character);
      at += next.bytes;
    }
  }
}

}  // namespace gteway
