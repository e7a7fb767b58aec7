#include "tokenizer/words.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "tokenizer/byte_letters.hpp"
#include "tokenizer/regex_words.hpp"
#include "tokenizer/simple_pattern.hpp"
#include "tokenizer/text_classes.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

namespace {

using Kind = PreTokenizerStep::Kind;
using Behavior = PreTokenizerStep::Behavior;

struct Piece {
  std::string_view text;
  bool at_start;
};

struct Span {
  size_t start, end;
  bool match;
};

// `spans` cover the text. What becomes of matches and what is between them, as NormalizedString::split() of
// the reference has it.
std::vector<Span> kept_spans(const std::vector<Span>& spans, Behavior behavior) {
  std::vector<Span> kept;
  bool before = false;
  switch (behavior) {
    case Behavior::kIsolated:
      return spans;
    case Behavior::kRemoved:
      std::copy_if(spans.begin(), spans.end(), std::back_inserter(kept),
                   [](const Span& each) { return !each.match; });
      break;
    case Behavior::kContiguous:
      for (const Span& each : spans) {
        if (each.match == before && !kept.empty()) {
          kept.back().end = each.end;
        } else {
          kept.push_back(each);
        }
        before = each.match;
      }
      break;
    case Behavior::kMergedWithPrevious:
      for (const Span& each : spans) {
        if (each.match && !before && !kept.empty()) {
          kept.back().end = each.end;
        } else {
          kept.push_back(each);
        }
        before = each.match;
      }
      break;
    case Behavior::kMergedWithNext:
      for (auto each = spans.rbegin(); each != spans.rend(); ++each) {
        if (each->match && !before && !kept.empty()) {
          kept.back().start = each->start;
        } else {
          kept.push_back(*each);
        }
        before = each->match;
      }
      std::reverse(kept.begin(), kept.end());
      break;
  }
  return kept;
}

// Every character that `is_match` is a match of its own; what is between them is one span.
template <class IsMatch>
std::vector<Span> spans_of(std::string_view text, IsMatch&& is_match) {
  std::vector<Span> spans;
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded next = utf8::decode(text, at);
    const bool match = is_match(next.point);
    if (!match && !spans.empty() && !spans.back().match) {
      spans.back().end = at + next.bytes;
    } else {
      spans.push_back({at, at + next.bytes, match});
    }
    at += next.bytes;
  }
  return spans;
}

std::vector<Span> spans_of_pattern(std::string_view text, const PreTokenizerStep& step) {
  std::vector<Span> spans;
  for (size_t at = 0; at < text.size();) {
    const Found found = find_pattern(step.pattern, text, at);
    if (found.start > at) spans.push_back({at, found.start, step.invert});
    if (found.end > found.start) spans.push_back({found.start, found.end, !step.invert});
    at = found.end;
  }
  return spans;
}

std::vector<Span> spans_of_regex(std::string_view text, WordRegex regex) {
  std::vector<Span> spans;
  for (size_t at = 0; at < text.size();) {
    const size_t end = regex_word_end(regex, text, at);
    spans.push_back({at, end, true});
    at = end;
  }
  return spans;
}

bool has(char32_t point, uint16_t flags) { return unicode::properties(point).flags & flags; }

std::vector<Span> spans_of_step(std::string_view text, const PreTokenizerStep& step) {
  switch (step.kind) {
    case Kind::kWhitespaceSplit:
      return kept_spans(spans_of(text, [](char32_t point) { return has(point, unicode::kWhitespace); }),
                        Behavior::kRemoved);
    case Kind::kPunctuation:
      return kept_spans(spans_of(text, [](char32_t point) { return has(point, unicode::kPunctuation); }),
                        step.behavior);
    case Kind::kDigits:
      return kept_spans(
          spans_of(text, [](char32_t point) { return unicode::text_classes(point) & unicode::kNumeric; }),
          step.behavior);
    case Kind::kPattern:
      return kept_spans(spans_of_pattern(text, step), step.behavior);
    case Kind::kRegex:
      return spans_of_regex(text, step.regex);
    case Kind::kBert: {
      std::vector<Span> result;
      for (const Span& word :
           kept_spans(spans_of(text, [](char32_t point) { return has(point, unicode::kWhitespace); }),
                      Behavior::kRemoved)) {
        for (Span part : spans_of(text.substr(word.start, word.end - word.start),
                                  [](char32_t point) { return has(point, unicode::kPunctuation); })) {
          part.start += word.start;
          part.end += word.start;
          result.push_back(part);
        }
      }
      return result;
    }
    case Kind::kWhitespace: {
      // \w+|[^\w\s]+
      const auto kind = [](char32_t point) {
        const uint16_t flags = unicode::properties(point).flags;
        return flags & unicode::kWord ? 2 : flags & unicode::kWhitespace ? 0 : 1;
      };
      std::vector<Span> result;
      int before = 0;
      for (size_t at = 0; at < text.size();) {
        const utf8::Decoded next = utf8::decode(text, at);
        const int now = kind(next.point);
        if (now != 0 && now == before) {
          result.back().end = at + next.bytes;
        } else if (now != 0) {
          result.push_back({at, at + next.bytes, true});
        }
        before = now;
        at += next.bytes;
      }
      return result;
    }
    default:
      return {{0, text.size(), false}};
  }
}

// The text with its spaces replaced and, where the scheme says so, one in front; split before each.
void metaspace(const PreTokenizerStep& step, const Piece& piece, Words& words, std::vector<Piece>& pieces) {
  std::string& spelled = words.spelled.emplace_back();
  for (const char byte : piece.text) {
    if (byte == ' ') {
      spelled += step.text;
    } else {
      spelled.push_back(byte);
    }
  }
  const bool wanted = step.prepend == PreTokenizerStep::Prepend::kAlways ||
                      (step.prepend == PreTokenizerStep::Prepend::kFirst && piece.at_start);
  if (wanted && !spelled.starts_with(step.text)) spelled.insert(0, step.text);
  if (!step.split) {
    pieces.push_back({spelled, piece.at_start});
    return;
  }
  const std::string_view text = spelled;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(step.text, at + 1), text.size());
    pieces.push_back({text.substr(at, end - at), piece.at_start && at == 0});
    at = end;
  }
}

void byte_level(const PreTokenizerStep& step, const Piece& piece, bool byte_letters, Words& words,
                std::vector<Piece>& pieces) {
  std::string_view text = piece.text;
  if (step.add_prefix_space && !text.starts_with(' '))
    text = words.spelled.emplace_back(' ' + std::string(text));
  for (size_t at = 0; at < text.size();) {
    const size_t end = step.use_regex ? regex_word_end(WordRegex::kGpt2, text, at) : text.size();
    std::string_view word = text.substr(at, end - at);
    if (byte_letters) {
      std::string& letters = words.spelled.emplace_back();
      for (const char byte : word) utf8::append(letters, letter_of_byte(static_cast<unsigned char>(byte)));
      word = letters;
    }
    pieces.push_back({word, piece.at_start && at == 0});
    at = end;
  }
}

void apply(const PreTokenizerStep& step, const Piece& piece, bool byte_letters, Words& words,
           std::vector<Piece>& pieces) {
  if (step.kind == Kind::kMetaspace) return metaspace(step, piece, words, pieces);
  if (step.kind == Kind::kByteLevel) return byte_level(step, piece, byte_letters, words, pieces);
  for (const Span& span : spans_of_step(piece.text, step))
    pieces.push_back(
        {piece.text.substr(span.start, span.end - span.start), piece.at_start && span.start == 0});
}

// Whether the first step that has a word's end in front of such a space finds it there still, and whatever is
// before it does not look across.
bool parts_before_space(const std::vector<PreTokenizerStep>& steps) {
  for (const PreTokenizerStep& step : steps) {
    switch (step.kind) {
      case Kind::kBert:
      case Kind::kWhitespace:
      case Kind::kWhitespaceSplit:
      case Kind::kRegex:
        return true;
      case Kind::kByteLevel:
        return step.use_regex;
      case Kind::kMetaspace:
        return step.split;
      case Kind::kPunctuation:
      case Kind::kDigits:
        break;
      case Kind::kPattern:
        if (!step.pattern.only_blanks() && !step.pattern.no_blanks()) return false;
        break;
    }
  }
  return false;
}

// Bytes of characters that separate words, 2 where more than the byte has to be seen.
constexpr std::array<uint8_t, 256> kSeparates = [] {
  std::array<uint8_t, 256> separates{};
  for (size_t byte = 0; byte < 256; ++byte)
    separates[byte] = byte == ' ' || (byte >= 9 && byte <= 13) ? 1 : byte >= 0x80 ? 2 : 0;
  return separates;
}();

// WhitespaceSplit, then Metaspace.
void spaced_metaspace(const PreTokenizerStep& step, std::string_view text, bool at_start, Words& words) {
  const std::string_view mark = step.text;
  // One byte of text becomes its mark and itself at most.
  words.storage.reserve(text.size() * (mark.size() + 1));
  std::vector<Piece> pieces;
  for (size_t at = 0; at < text.size();) {
    bool marked = false;
    size_t end = at, behind = text.size();
    while (end < text.size()) {
      const uint8_t separates = kSeparates[static_cast<unsigned char>(text[end])];
      if (separates == 0) {
        ++end;
        continue;
      }
      const utf8::Decoded next = utf8::decode(text, end);
      if (separates == 1 || has(next.point, unicode::kWhitespace)) {
        behind = end + next.bytes;
        break;
      }
      marked |= text.substr(end, next.bytes) == mark;
      end += next.bytes;
    }
    if (end > at) {
      const Piece piece{text.substr(at, end - at), at_start && at == 0};
      if (marked || step.prepend != PreTokenizerStep::Prepend::kAlways || !step.split) {
        pieces.clear();
        metaspace(step, piece, words, pieces);
        for (const Piece& each : pieces) words.words.push_back(each.text);
      } else {
        const size_t begin = words.storage.size();
        words.storage += mark;
        words.storage += piece.text;
        words.words.push_back(std::string_view(words.storage).substr(begin));
      }
    }
    at = behind;
  }
}

}  // namespace

WordSplitter::WordSplitter(std::vector<PreTokenizerStep> steps, bool byte_letters)
    : steps_(std::move(steps)), byte_letters_(byte_letters) {
  parts_before_spaces_ = parts_before_space(steps_);
  if (steps_.size() == 1 && steps_[0].kind == Kind::kByteLevel && steps_[0].use_regex &&
      !steps_[0].add_prefix_space && !byte_letters_)
    form_ = Form::kByteLevelGpt2;
  // A mark in ASCII would not be noticed among the other bytes.
  if (steps_.size() == 2 && steps_[0].kind == Kind::kWhitespaceSplit && steps_[1].kind == Kind::kMetaspace &&
      static_cast<signed char>(steps_[1].text[0]) < 0)
    form_ = Form::kSpacedMetaspace;
}

void WordSplitter::split(std::string_view text, bool at_start, Words& words) const {
  words.clear();
  if (form_ == Form::kByteLevelGpt2) {
    for (size_t at = 0; at < text.size();) {
      const size_t end = regex_word_end(WordRegex::kGpt2, text, at);
      words.words.push_back(text.substr(at, end - at));
      at = end;
    }
    return;
  }
  if (form_ == Form::kSpacedMetaspace) return spaced_metaspace(steps_[1], text, at_start, words);
  std::vector<Piece> pieces = {{text, at_start}}, next;
  for (const PreTokenizerStep& step : steps_) {
    next.clear();
    for (const Piece& piece : pieces)
      if (!piece.text.empty()) apply(step, piece, byte_letters_, words, next);
    std::swap(pieces, next);
  }
  for (const Piece& piece : pieces)
    if (!piece.text.empty()) words.words.push_back(piece.text);
}

}  // namespace gteway
