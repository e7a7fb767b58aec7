// The tokenizer as its definition reads: every stage over the whole text, strings of code points, ordered
// maps, no care for speed. What the fast one must agree with, id for id.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway::test {

class ReferenceTokenizer {
 public:
  explicit ReferenceTokenizer(TokenizerConfig config) : config_(std::move(config)) {
    for (size_t i = 0; i < config_.vocabulary_tokens.size(); ++i)
      vocabulary_[decoded(config_.vocabulary_tokens[i])] = config_.vocabulary_ids[i];
    for (const auto& [token, id] : vocabulary_) longest_ = std::max(longest_, token.size());
    prefix_ = decoded(config_.continuing_subword_prefix);
    unk_ = vocabulary_.at(decoded(config_.unk_token));
    for (const AddedToken& token : config_.added_tokens) {
      const std::u32string content = decoded(token.content);
      if (token.normalized) {
        after_.push_back({normalized(content), token});
      } else {
        before_.push_back({content, token});
      }
    }
  }

  // Without special tokens, without a limit.
  std::vector<int32_t> ids(std::string_view text) const {
    std::vector<int32_t> result;
    for (const Piece& raw : split(decoded(text), before_)) {
      if (raw.id) {
        result.push_back(*raw.id);
        continue;
      }
      for (const Piece& piece : split(normalized(raw.text), after_)) {
        if (piece.id) {
          result.push_back(*piece.id);
          continue;
        }
        for (const std::u32string& word : words(piece.text)) match(word, result);
      }
    }
    return result;
  }

  static std::u32string decoded(std::string_view text) {
    std::u32string points;
    for (size_t at = 0; at < text.size();) {
      const utf8::Decoded next = utf8::decode(text, at);
      points.push_back(next.point);
      at += next.bytes;
    }
    return points;
  }

 private:
  struct Pattern {
    std::u32string text;
    AddedToken token;
  };
  struct Piece {
    std::u32string text;
    std::optional<int32_t> id;
  };

  static bool is(char32_t point, unicode::Flag flag) { return unicode::properties(point).flags & flag; }

  std::u32string normalized(const std::u32string& text) const {
    std::u32string result = text;
    if (config_.clean_text) {
      std::u32string cleaned;
      for (const char32_t point : result) {
        if (is(point, unicode::kControl)) continue;
        cleaned.push_back(is(point, unicode::kCleanedToSpace) ? U' ' : point);
      }
      result = cleaned;
    }
    if (config_.handle_chinese_chars) {
      std::u32string spaced;
      for (const char32_t point : result)
        spaced += is(point, unicode::kChinese) ? std::u32string{U' ', point, U' '} : std::u32string{point};
      result = spaced;
    }
    if (config_.strip_accents) {
      std::u32string parts;
      for (const char32_t point : result)
        unicode::decompose(point, unicode::properties(point), [&](char32_t part) { parts.push_back(part); });
      // Canonical ordering: each maximal run of marks by combining class.
      for (size_t at = 0; at < parts.size();) {
        size_t end = at;
        while (end < parts.size() && is(parts[end], unicode::kReorders)) ++end;
        std::stable_sort(
            parts.begin() + static_cast<ptrdiff_t>(at), parts.begin() + static_cast<ptrdiff_t>(end),
            [](char32_t a, char32_t b) { return unicode::properties(a).rank < unicode::properties(b).rank; });
        at = std::max(end, at + 1);
      }
      std::erase_if(parts, [](char32_t point) { return is(point, unicode::kNonspacingMark); });
      result = parts;
    }
    if (config_.lowercase) {
      std::u32string lower;
      for (const char32_t point : result)
        unicode::lowercase(point, unicode::properties(point), [&](char32_t each) { lower.push_back(each); });
      result = lower;
    }
    return result;
  }

  static std::vector<std::u32string> words(const std::u32string& text) {
    std::vector<std::u32string> result;
    std::u32string word;
    const auto finish = [&] {
      if (!word.empty()) result.push_back(word);
      word.clear();
    };
    for (const char32_t point : text) {
      if (is(point, unicode::kWhitespace)) {
        finish();
      } else if (is(point, unicode::kPunctuation)) {
        finish();
        result.push_back({point});
      } else {
        word.push_back(point);
      }
    }
    finish();
    return result;
  }

  void match(const std::u32string& word, std::vector<int32_t>& ids) const {
    std::vector<int32_t> pieces;
    bool known = word.size() <= config_.max_input_chars_per_word;
    for (size_t start = 0; known && start < word.size();) {
      size_t end = std::min(word.size(), start + longest_);
      for (; end > start; --end) {
        const std::u32string piece = (start > 0 ? prefix_ : U"") + word.substr(start, end - start);
        if (const auto found = vocabulary_.find(piece); found != vocabulary_.end()) {
          pieces.push_back(found->second);
          break;
        }
      }
      known = end > start;
      start = end;
    }
    if (!known) pieces = {unk_};
    ids.insert(ids.end(), pieces.begin(), pieces.end());
  }

  // `text` cut at the added tokens in it, as find_matches() of Hugging Face tokenizers does.
  static std::vector<Piece> split(const std::u32string& text, const std::vector<Pattern>& patterns) {
    std::vector<Piece> pieces;
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
      const Pattern* longest = nullptr;
      for (const Pattern& pattern : patterns) {
        if (text.compare(at, pattern.text.size(), pattern.text) == 0 &&
            (longest == nullptr || pattern.text.size() > longest->text.size()))
          longest = &pattern;
      }
      if (longest == nullptr) {
        ++at;
        continue;
      }
      size_t start = at, stop = at + longest->text.size();
      at = stop;
      if (longest->token.single_word && ((start > 0 && is(text[start - 1], unicode::kWord)) ||
                                         (stop < text.size() && is(text[stop], unicode::kWord))))
        continue;
      if (longest->token.lstrip) {
        size_t left = start;
        while (left > 0 && is(text[left - 1], unicode::kWhitespace)) --left;
        start = std::max(left, done);
      }
      if (longest->token.rstrip) {
        while (stop < text.size() && is(text[stop], unicode::kWhitespace)) ++stop;
      }
      if (done < start) pieces.push_back({text.substr(done, start - done), std::nullopt});
      if (start < stop) pieces.push_back({{}, longest->token.id});
      done = stop;
    }
    if (done < text.size()) pieces.push_back({text.substr(done), std::nullopt});
    return pieces;
  }

  TokenizerConfig config_;
  std::map<std::u32string, int32_t> vocabulary_;
  std::u32string prefix_;
  int32_t unk_ = 0;
  size_t longest_ = 0;  // code points of the longest token: no piece is longer
  std::vector<Pattern> before_, after_;
};

}  // namespace gteway::test
