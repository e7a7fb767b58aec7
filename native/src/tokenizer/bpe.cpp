#include "tokenizer/bpe.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <queue>

#include "base/error.hpp"
#include "tokenizer/byte_letters.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

namespace {

// Few symbols are merged by looking for the best rule again and again, many with a queue.
constexpr size_t kFew = 48;

constexpr uint64_t kMix = 0x9E3779B97F4A7C15;

uint64_t pair_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

std::string Bpe::bytes_of(std::string_view token) {
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const utf8::Decoded next = utf8::decode(token, at);
    const int byte = byte_of_letter(next.point);
    if (byte < 0) return {};
    bytes.push_back(static_cast<char>(byte));
    at += next.bytes;
  }
  return bytes;
}

Bpe::Bpe(const TokenizerConfig& config)
    : byte_level_(config.byte_level),
      byte_fallback_(config.byte_fallback),
      fuse_unk_(config.fuse_unk),
      ignore_merges_(config.ignore_merges),
      prefix_(config.continuing_subword_prefix),
      suffix_(config.end_of_word_suffix) {
  byte_ids_.fill(kNoId);
  fallback_ids_.fill(kNoId);
  for (size_t i = 0; i < config.vocabulary_tokens.size(); ++i)
    vocabulary_[config.vocabulary_tokens[i]] = config.vocabulary_ids[i];
  const auto id_of = [&](std::string_view token) {
    const auto found = vocabulary_.find(token);
    return found == vocabulary_.end() ? kNoId : found->second;
  };
  if (!config.unk_token.empty()) {
    unk_id_ = id_of(config.unk_token);
    if (unk_id_ == kNoId)
      throw Error(ErrorCode::kTokenizerInvalid,
                  "the tokenizer's model: unk_token \"" + config.unk_token + "\" is not in its vocabulary");
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    char code[8];
    std::snprintf(code, sizeof code, "<0x%02X>", byte);
    fallback_ids_[byte] = id_of(code);
    std::string letter;
    utf8::append(letter, letter_of_byte(static_cast<unsigned char>(byte)));
    byte_ids_[byte] = id_of(letter);
  }
  plain_bytes_ = byte_level_ && prefix_.empty() && suffix_.empty() && !byte_fallback_ && unk_id_ == kNoId;

  const size_t count = config.merges.size() / 3;
  const auto slots = std::bit_ceil(std::max<size_t>(count * 2, 2));
  merges_.resize(slots);
  merges_shift_ = 64 - std::countr_zero(slots);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t pair = pair_of(config.merges[3 * i], config.merges[3 * i + 1]);
    size_t at = pair * kMix >> merges_shift_;
    while (merges_[at].id != kNoId && merges_[at].pair != pair) at = (at + 1) & (slots - 1);
    // Of equal rules the last counts.
    merges_[at] = {pair, static_cast<uint32_t>(i), config.merges[3 * i + 2]};
  }
}

const Bpe::Merge& Bpe::merge_of(int32_t left, int32_t right) const noexcept {
  const uint64_t pair = pair_of(left, right);
  size_t at = pair * kMix >> merges_shift_;
  while (merges_[at].id != kNoId && merges_[at].pair != pair) at = (at + 1) & (merges_.size() - 1);
  return merges_[at];
}

// The word's characters, or bytes, as tokens of the vocabulary.
void Bpe::symbols_of(std::string_view word, std::vector<int32_t>& ids) const {
  if (plain_bytes_) {
    for (const char byte : word) {
      const int32_t id = byte_ids_[static_cast<unsigned char>(byte)];
      if (id != kNoId) ids.push_back(id);
    }
    return;
  }
  bool unknown = false;
  const auto flush = [&] {
    if (unknown) ids.push_back(unk_id_);
    unknown = false;
  };
  std::string symbol;
  for (size_t at = 0; at < word.size();) {
    symbol = at > 0 ? prefix_ : std::string();
    if (byte_level_) {
      utf8::append(symbol, letter_of_byte(static_cast<unsigned char>(word[at])));
      ++at;
    } else {
      const size_t bytes = utf8::decode(word, at).bytes;
      symbol += word.substr(at, bytes);
      at += bytes;
    }
    if (at == word.size()) symbol += suffix_;
    if (const auto found = vocabulary_.find(symbol); found != vocabulary_.end()) {
      flush();
      ids.push_back(found->second);
      continue;
    }
    if (byte_fallback_) {
      const auto known = [&](char byte) { return fallback_ids_[static_cast<unsigned char>(byte)] != kNoId; };
      if (std::all_of(symbol.begin(), symbol.end(), known)) {
        // An unknown character before it comes out behind it, as it does in the reference.
        for (const char byte : symbol) ids.push_back(fallback_ids_[static_cast<unsigned char>(byte)]);
        continue;
      }
    }
    if (unk_id_ == kNoId) continue;
    if (!fuse_unk_) flush();
    unknown = true;
  }
  flush();
}

void Bpe::match(std::string_view word, std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    std::string spelled;
    if (byte_level_) {
      for (const char byte : word) utf8::append(spelled, letter_of_byte(static_cast<unsigned char>(byte)));
    }
    const auto found = vocabulary_.find(byte_level_ ? std::string_view(spelled) : word);
    if (found != vocabulary_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  const size_t begin = ids.size();
  symbols_of(word, ids);
  if (ids.size() - begin <= kFew) {
    merge_few(ids, begin);
  } else {
    merge_many(ids, begin);
  }
}

void Bpe::merge_few(std::vector<int32_t>& symbols, size_t begin) const {
  int32_t* const ids = symbols.data() + begin;
  size_t count = symbols.size() - begin;
  if (count < 2) return;
  uint32_t ranks[kFew];
  int32_t merged[kFew];
  const auto look = [&](size_t at) {
    const Merge& merge = merge_of(ids[at], ids[at + 1]);
    ranks[at] = merge.rank;
    merged[at] = merge.id;
  };
  for (size_t at = 0; at + 1 < count; ++at) look(at);
  while (count > 1) {
    size_t best = 0;
    for (size_t at = 1; at + 1 < count; ++at)
      if (ranks[at] < ranks[best]) best = at;
    if (ranks[best] == kNoRank) break;
    ids[best] = merged[best];
    --count;
    for (size_t at = best + 1; at < count; ++at) {
      ids[at] = ids[at + 1];
      ranks[at] = ranks[at + 1];
      merged[at] = merged[at + 1];
    }
    if (best > 0) look(best - 1);
    if (best + 1 < count) look(best);
  }
  symbols.resize(begin + count);
}

void Bpe::merge_many(std::vector<int32_t>& symbols, size_t begin) const {
  constexpr uint32_t kEnd = UINT32_MAX;
  struct Symbol {
    int32_t id;
    uint32_t previous, next;
    bool alive = true;
  };
  struct Candidate {
    uint32_t rank, at;
    int32_t id;
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  const size_t count = symbols.size() - begin;
  std::vector<Symbol> chain(count);
  for (uint32_t at = 0; at < count; ++at)
    chain[at] = {symbols[begin + at], at == 0 ? kEnd : at - 1, at + 1 == count ? kEnd : at + 1};
  std::vector<Candidate> candidates;
  const auto candidate = [&](uint32_t at) -> const Merge& {
    return merge_of(chain[at].id, chain[chain[at].next].id);
  };
  for (uint32_t at = 0; at + 1 < count; ++at) {
    if (const Merge& merge = candidate(at); merge.id != kNoId)
      candidates.push_back({merge.rank, at, merge.id});
  }
  std::priority_queue<Candidate> queue(std::less<Candidate>(), std::move(candidates));
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = chain[best.at];
    if (!left.alive || left.next == kEnd || candidate(best.at).id != best.id) continue;
    Symbol& right = chain[left.next];
    left.id = best.id;
    right.alive = false;
    left.next = right.next;
    if (right.next != kEnd) chain[right.next].previous = best.at;
    if (left.previous != kEnd) {
      if (const Merge& merge = candidate(left.previous); merge.id != kNoId)
        queue.push({merge.rank, left.previous, merge.id});
    }
    if (left.next != kEnd) {
      if (const Merge& merge = candidate(best.at); merge.id != kNoId)
        queue.push({merge.rank, best.at, merge.id});
    }
  }
  size_t kept = begin;
  for (const Symbol& symbol : chain)
    if (symbol.alive) symbols[kept++] = symbol.id;
  symbols.resize(kept);
}

}  // namespace gteway
