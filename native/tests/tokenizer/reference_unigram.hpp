// Unigram as its definition reads: for each place of a word the best of all ways that lead there, pieces
// looked up as strings. What the fast one must agree with, id for id.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway::test {

class ReferenceUnigram {
 public:
  explicit ReferenceUnigram(const TokenizerConfig& config) : config_(config) {
    for (size_t i = 0; i < config_.vocabulary_tokens.size(); ++i)
      vocabulary_[config_.vocabulary_tokens[i]] = static_cast<int32_t>(i);
    for (const auto& [token, id] : vocabulary_) longest_ = std::max(longest_, token.size());
    unk_score_ = *std::min_element(config_.scores.begin(), config_.scores.end()) - 10;
  }

  // Of one word, which is valid UTF-8.
  std::vector<int32_t> ids(const std::string& word) const {
    std::vector<size_t> places = {0};  // between characters
    while (places.back() < word.size())
      places.push_back(places.back() + utf8::decode(word, places.back()).bytes);

    struct Way {
      double score;
      size_t from;
      int32_t id;
    };
    std::vector<std::optional<Way>> best(places.size());
    best[0] = Way{0, 0, 0};
    for (size_t to = 1; to < places.size(); ++to) {
      size_t from = to - 1;
      while (from > 0 && places[to] - places[from - 1] <= longest_) --from;
      for (; from < to; ++from) {
        const auto found = vocabulary_.find(word.substr(places[from], places[to] - places[from]));
        Way way{best[from]->score, from, config_.unk_id};
        if (found != vocabulary_.end()) {
          way.id = found->second;
          way.score += config_.scores[static_cast<size_t>(way.id)];
        } else if (from + 1 == to) {
          way.score += unk_score_;
        } else {
          continue;
        }
        // Of equal ones that with the longest last piece.
        if (!best[to] || way.score > best[to]->score) best[to] = way;
      }
    }

    std::vector<std::pair<std::string, int32_t>> pieces;
    for (size_t to = places.size() - 1; to > 0; to = best[to]->from) {
      const std::string piece = word.substr(places[best[to]->from], places[to] - places[best[to]->from]);
      // Neighbouring unknown pieces are one.
      if (!pieces.empty() && pieces.front().second == config_.unk_id && best[to]->id == config_.unk_id) {
        pieces.front().first.insert(0, piece);
      } else {
        pieces.insert(pieces.begin(), {piece, best[to]->id});
      }
    }
    std::vector<int32_t> result;
    for (const auto& [piece, id] : pieces) {
      const std::vector<int32_t> own = id == config_.unk_id ? unknown(piece) : std::vector{id};
      result.insert(result.end(), own.begin(), own.end());
    }
    return result;
  }

 private:
  std::vector<int32_t> unknown(const std::string& piece) const {
    if (const auto found = vocabulary_.find(piece); found != vocabulary_.end()) return {found->second};
    std::vector<int32_t> bytes;
    for (const char byte : piece) {
      char code[8];
      std::snprintf(code, sizeof code, "<0x%02X>", unsigned{static_cast<unsigned char>(byte)});
      const auto found = vocabulary_.find(code);
      if (!config_.byte_fallback || found == vocabulary_.end()) return {config_.unk_id};
      bytes.push_back(found->second);
    }
    return bytes;
  }

  TokenizerConfig config_;
  std::map<std::string, int32_t> vocabulary_;  // of equal tokens the last
  size_t longest_ = 0;
  double unk_score_ = 0;
};

}  // namespace gteway::test
