#include "tokenizer/normal_forms.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tokenizer/text_classes.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

namespace {

constexpr char32_t kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7, kSBase = 0xAC00;
constexpr char32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

bool is_compatible(NormalForm form) { return form == NormalForm::kNfkc || form == NormalForm::kNfkd; }
bool is_composed(NormalForm form) { return form == NormalForm::kNfc || form == NormalForm::kNfkc; }

// What may be copied as it is, and parts the text: nothing before it reaches beyond it.
bool is_inert(char32_t point, NormalForm form) {
  if (point < 0x80) return true;
  const uint16_t classes = unicode::text_classes(point);
  if (form == NormalForm::kNfc) return classes & unicode::kNfcInert;
  if (form == NormalForm::kNfkc) return classes & unicode::kNfkcInert;
  const uint16_t changes = unicode::kHangul | unicode::kDecomposes | unicode::kReorders;
  if (unicode::properties(point).flags & changes) return false;
  return form == NormalForm::kNfd || (classes & unicode::kNfkcInert);
}

template <class Emit>
void decompose(char32_t point, NormalForm form, Emit&& emit) {
  if (is_compatible(form)) {
    const auto* const end = unicode::data::kCompatibility + unicode::data::kCompatibilitySize;
    const auto* const found = std::lower_bound(
        unicode::data::kCompatibility, end, point,
        [](const unicode::Compatibility& entry, char32_t value) { return entry.point < value; });
    if (found != end && found->point == point) {
      for (unsigned i = 0; i < found->length; ++i) emit(unicode::data::kCompatibilityPool[found->offset + i]);
      return;
    }
  }
  unicode::decompose(point, unicode::properties(point), emit);
}

// The primary composite of the two, or 0.
char32_t composed(char32_t first, char32_t second) {
  if (first >= kLBase && first < kLBase + kLCount && second >= kVBase && second < kVBase + kVCount)
    return kSBase + ((first - kLBase) * kVCount + (second - kVBase)) * kTCount;
  if (first >= kSBase && first < kSBase + kSCount && (first - kSBase) % kTCount == 0 && second > kTBase &&
      second < kTBase + kTCount)
    return first + (second - kTBase);
  const auto* const end = unicode::data::kCompositions + unicode::data::kCompositionsSize;
  const auto* const found =
      std::lower_bound(unicode::data::kCompositions, end, std::pair(first, second),
                       [](const unicode::Composition& entry, const std::pair<char32_t, char32_t>& pair) {
                         return std::pair(entry.first, entry.second) < pair;
                       });
  return found != end && found->first == first && found->second == second ? found->composed : 0;
}

uint8_t rank_of(char32_t point) { return unicode::properties(point).rank; }

// A stretch of text, decomposed, that nothing outside has an influence on.
void finish(std::vector<char32_t>& points, NormalForm form, std::string& out) {
  for (size_t at = 0; at < points.size();) {
    size_t end = at;
    while (end < points.size() && rank_of(points[end]) > 0) ++end;
    std::stable_sort(points.begin() + static_cast<ptrdiff_t>(at),
                     points.begin() + static_cast<ptrdiff_t>(end),
                     [](char32_t a, char32_t b) { return rank_of(a) < rank_of(b); });
    at = std::max(end, at + 1);
  }
  if (is_composed(form) && !points.empty()) {
    size_t starter = SIZE_MAX, kept = 0;
    uint8_t last_rank = 0;
    for (const char32_t point : points) {
      const uint8_t rank = rank_of(point);
      // Blocked: something of the same or a higher class stands between.
      const bool reaches =
          starter != SIZE_MAX && (kept == starter + 1 || (last_rank < rank && last_rank > 0));
      const char32_t both = reaches ? composed(points[starter], point) : 0;
      if (both != 0) {
        points[starter] = both;
        continue;
      }
      points[kept] = point;
      if (rank == 0) starter = kept;
      last_rank = rank;
      ++kept;
    }
    points.resize(kept);
  }
  for (const char32_t point : points) utf8::append(out, point);
  points.clear();
}

}  // namespace

bool surely_in_form(std::string_view text, NormalForm form) noexcept {
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const utf8::Decoded next = utf8::decode(text, at);
    if (next.point == utf8::kReplacement || !is_inert(next.point, form)) return false;
    at += next.bytes;
  }
  return true;
}

void append_in_form(std::string_view text, NormalForm form, std::string& out) {
  std::vector<char32_t> points;
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded next = utf8::decode(text, at);
    at += next.bytes;
    // An inert character may still be the first of a composition, so it is held back with what follows.
    if (is_inert(next.point, form)) {
      finish(points, form, out);
      points.push_back(next.point);
    } else {
      decompose(next.point, form, [&](char32_t part) { points.push_back(part); });
    }
  }
  finish(points, form, out);
}

}  // namespace gteway
