// Byte-pair encoding: a word's characters or bytes, neighbours merged as long as a rule says so, the rule
// that was learned first before the others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/word_model.hpp"

namespace gteway {

struct TokenizerConfig;

class Bpe : public WordModel {
 public:
  // With config.byte_level words are raw bytes, and the vocabulary spells each as the letter that GPT-2 has
  // for it. Throws Error{kTokenizerInvalid}.
  explicit Bpe(const TokenizerConfig& config);

  void match(std::string_view word, std::vector<int32_t>& ids) const override;

  // The bytes that a token spelled in GPT-2's letters stands for; empty where it is not spelled so.
  static std::string bytes_of(std::string_view token);

 private:
  static constexpr int32_t kNoId = -1;
  static constexpr uint32_t kNoRank = UINT32_MAX;

  struct Merge {
    uint64_t pair = ~uint64_t{0};  // left << 32 | right
    uint32_t rank = kNoRank;
    int32_t id = kNoId;
  };

  const Merge& merge_of(int32_t left, int32_t right) const noexcept;
  void symbols_of(std::string_view word, std::vector<int32_t>& ids) const;
  void merge_few(std::vector<int32_t>& symbols, size_t begin) const;
  void merge_many(std::vector<int32_t>& symbols, size_t begin) const;

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> vocabulary_;  // as words spell it
  std::vector<Merge> merges_;
  int merges_shift_ = 0;
  std::array<int32_t, 256> byte_ids_;
  std::array<int32_t, 256> fallback_ids_;
  int32_t unk_id_ = kNoId;
  bool byte_level_, byte_fallback_, fuse_unk_, ignore_merges_, plain_bytes_;
  std::string prefix_, suffix_;
};

}  // namespace gteway
