#include "tokenizer/added_tokens.hpp"

#include <algorithm>
#include <cstring>

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

static std::vector<std::vector<DoubleArray::Key>> pattern_keys(std::span<const std::string> patterns) {
  std::vector<DoubleArray::Key> keys;
  for (size_t i = 0; i < patterns.size(); ++i) keys.push_back({patterns[i], static_cast<int32_t>(i)});
  return {keys};
}

static bool has_whitespace(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded decoded = utf8::decode(text, at);
    if (unicode::properties(decoded.point).flags & unicode::kWhitespace) return true;
    at += decoded.bytes;
  }
  return false;
}

AddedTokens::AddedTokens(std::span<const AddedToken> tokens, std::span<const std::string> patterns)
    : trie_(pattern_keys(patterns)) {
  trie_.forget_edges();
  for (const AddedToken& token : tokens)
    rules_.push_back({token.id, token.single_word, token.lstrip, token.rstrip});
  for (const std::string& pattern : patterns) {
    begins_[static_cast<unsigned char>(pattern[0])] = true;
    any_has_whitespace_ |= has_whitespace(pattern);
  }
  if (std::count(std::begin(begins_), std::end(begins_), true) == 1)
    only_beginning_ = static_cast<int>(std::find(std::begin(begins_), std::end(begins_), true) - begins_);
}

size_t AddedTokens::next_candidate(std::string_view text, size_t from, size_t until) const noexcept {
  if (only_beginning_ >= 0) {
    const void* found = std::memchr(text.data() + from, only_beginning_, until - from);
    return found == nullptr ? until : static_cast<size_t>(static_cast<const char*>(found) - text.data());
  }
  while (from < until && !begins_[static_cast<unsigned char>(text[from])]) ++from;
  return from;
}

const std::optional<AddedTokens::Match>& AddedTokens::Scanner::look(size_t until) noexcept {
  until = std::min(until, text_.size());
  while (!match_ && scanned_ < until) {
    if (tokens_.empty()) {
      scanned_ = until;
      break;
    }
    const size_t start = tokens_.next_candidate(text_, scanned_, until);
    scanned_ = start;
    if (start == until) break;

    int32_t found = -1;
    size_t end = start;
    uint32_t node = tokens_.trie_.root(0);
    for (size_t at = start; at < text_.size(); ++at) {
      node = tokens_.trie_.child(node, static_cast<unsigned char>(text_[at]));
      if (node == DoubleArray::kNone) break;
      if (tokens_.trie_.value(node) >= 0) {
        found = tokens_.trie_.value(node);
        end = at + 1;
      }
    }
    if (found < 0) {
      ++scanned_;
      continue;
    }
    // Refused or not, what begins inside this one is not looked at.
    scanned_ = end;
    const Rule& rule = tokens_.rules_[static_cast<size_t>(found)];
    const auto flags_at = [&](size_t at) { return unicode::properties(utf8::decode(text_, at).point).flags; };
    if (rule.single_word) {
      const bool after_word =
          start > 0 && (unicode::properties(utf8::decode_before(text_, start).point).flags & unicode::kWord);
      const bool before_word = end < text_.size() && (flags_at(end) & unicode::kWord);
      if (after_word || before_word) continue;
    }
    Match match{start, end, rule.id};
    if (rule.lstrip) {
      while (match.start > previous_end_) {
        const utf8::Decoded before = utf8::decode_before(text_, match.start);
        if (!(unicode::properties(before.point).flags & unicode::kWhitespace)) break;
        match.start -= before.bytes;
      }
      match.start = std::max(match.start, previous_end_);
    }
    if (rule.rstrip) {
      while (match.end < text_.size() && (flags_at(match.end) & unicode::kWhitespace))
        match.end += utf8::decode(text_, match.end).bytes;
    }
    if (match.start >= match.end) match.id = kNothing;
    match_ = match;
  }
  return match_;
}

}  // namespace gteway
