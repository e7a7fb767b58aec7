#include "tokenizer/unigram.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "base/error.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

namespace {

// What a character outside of the vocabulary costs beside the worst piece.
constexpr double kUnknownPenalty = 10;

std::vector<std::vector<DoubleArray::Key>> trie_keys(const TokenizerConfig& config) {
  std::vector<DoubleArray::Key> keys;
  // Backwards: of equal keys the trie keeps the first, the vocabulary the last.
  for (size_t i = config.vocabulary_tokens.size(); i-- > 0;)
    keys.push_back({config.vocabulary_tokens[i], static_cast<int32_t>(i)});
  return {keys};
}

int32_t exact(const DoubleArray& trie, std::string_view text) {
  uint32_t node = trie.root(0);
  for (const char byte : text) {
    node = trie.child(node, static_cast<unsigned char>(byte));
    if (node == DoubleArray::kNone) return -1;
  }
  return trie.value(node);
}

}  // namespace

Unigram::Unigram(const TokenizerConfig& config)
    : trie_(trie_keys(config)),
      scores_(config.scores),
      unk_id_(config.unk_id),
      byte_fallback_(config.byte_fallback) {
  trie_.forget_edges();
  if (scores_.size() != config.vocabulary_tokens.size())
    throw Error(ErrorCode::kTokenizerInvalid, "the tokenizer's model: not every token has a score");
  double worst = 0;
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (!std::isfinite(scores_[i]))
      throw Error(ErrorCode::kTokenizerInvalid, "the tokenizer's model: the score of \"" +
                                                    config.vocabulary_tokens[i] + "\" is not a number");
    worst = i == 0 ? scores_[0] : std::min(worst, scores_[i]);
  }
  unk_score_ = worst - kUnknownPenalty;
  if (unk_id_ < 0 || static_cast<size_t>(unk_id_) >= scores_.size())
    throw Error(ErrorCode::kTokenizerInvalid, "the tokenizer's model: unk_id " + std::to_string(unk_id_) +
                                                  " is not in its vocabulary of " +
                                                  std::to_string(scores_.size()));
  for (unsigned byte = 0; byte < 256; ++byte) {
    char code[8];
    std::snprintf(code, sizeof code, "<0x%02X>", byte);
    byte_ids_[byte] = exact(trie_, code);
  }
}

void Unigram::match(std::string_view word, std::vector<int32_t>& ids) const {
  struct Node {
    double score;
    int32_t id;
    uint32_t start;  // kNowhere: no way leads here yet
  };
  constexpr uint32_t kNowhere = UINT32_MAX;
  constexpr size_t kUsual = 64;
  Node few[kUsual + 1];
  std::vector<Node> many;
  const size_t size = word.size();
  if (size > kUsual) many.resize(size + 1);
  Node* const best = size > kUsual ? many.data() : few;
  for (size_t at = 0; at <= size; ++at) best[at].start = kNowhere;
  best[0].score = 0;
  const auto offer = [&](size_t end, size_t start, int32_t id, double score) {
    if (best[end].start == kNowhere || score > best[end].score)
      best[end] = {score, id, static_cast<uint32_t>(start)};
  };
  for (size_t start = 0; start < size;) {
    const double till_here = best[start].score;
    const size_t character = start + utf8::decode(word, start).bytes;
    bool single = false;
    uint32_t node = trie_.root(0);
    for (size_t at = start; at < size;) {
      node = trie_.child(node, static_cast<unsigned char>(word[at++]));
      if (node == DoubleArray::kNone) break;
      const int32_t id = trie_.value(node);
      if (id < 0) continue;
      offer(at, start, id, scores_[static_cast<size_t>(id)] + till_here);
      single |= at == character;
    }
    if (!single) offer(character, start, unk_id_, unk_score_ + till_here);
    start = character;
  }

  // Backwards, then turned around; neighbouring unknown characters are one.
  const size_t begin = ids.size();
  for (size_t end = size; end > 0;) {
    size_t start = best[end].start;
    if (best[end].id != unk_id_) {
      ids.push_back(best[end].id);
    } else {
      while (start > 0 && best[start].id == unk_id_) start = best[start].start;
      const size_t first = ids.size();
      unknown(word.substr(start, end - start), ids);
      std::reverse(ids.begin() + static_cast<ptrdiff_t>(first), ids.end());
    }
    end = start;
  }
  std::reverse(ids.begin() + static_cast<ptrdiff_t>(begin), ids.end());
}

void Unigram::unknown(std::string_view text, std::vector<int32_t>& ids) const {
  // Together they may spell a token, if only the unknown one itself.
  if (const int32_t id = exact(trie_, text); id >= 0) {
    ids.push_back(id);
    return;
  }
  const auto known = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)] >= 0; };
  if (byte_fallback_ && std::all_of(text.begin(), text.end(), known)) {
    for (const char byte : text) ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
    return;
  }
  ids.push_back(unk_id_);
}

}  // namespace gteway
