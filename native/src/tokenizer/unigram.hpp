// Unigram: of all ways to write a word as pieces of the vocabulary the one with the best sum of scores
// (Viterbi). Time is the word's length times that of the longest piece.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/double_array.hpp"
#include "tokenizer/word_model.hpp"

namespace gteway {

struct TokenizerConfig;

class Unigram : public WordModel {
 public:
  // Throws Error{kTokenizerInvalid} for a score that is no number, or an unk_id beyond the vocabulary.
  explicit Unigram(const TokenizerConfig& config);

  void match(std::string_view word, std::vector<int32_t>& ids) const override;

 private:
  void unknown(std::string_view text, std::vector<int32_t>& ids) const;

  DoubleArray trie_;
  std::vector<double> scores_;  // by id
  double unk_score_ = 0;
  int32_t unk_id_;
  bool byte_fallback_;
  std::array<int32_t, 256> byte_ids_;
};

}  // namespace gteway
