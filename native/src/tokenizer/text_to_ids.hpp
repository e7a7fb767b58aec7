// Text between added tokens, to ids: stages one to three in one pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/normalizer.hpp"
#include "tokenizer/postprocessor.hpp"
#include "tokenizer/pretokenizer.hpp"
#include "tokenizer/word_memo.hpp"
#include "tokenizer/word_table.hpp"
#include "tokenizer/wordpiece.hpp"

namespace gteway {

class TextToIds {
 public:
  // `words` may be any whole words that `wordpiece` would also find, as long as normalization leaves them as
  // they are.
  TextToIds(Normalizer::Switches switches, const WordPiece& wordpiece, const WordTable& words)
      : normalizer_(switches), kinds_(switches), scanner_(switches), wordpiece_(wordpiece), words_(words) {}

  // Gives `output` the ids of `text`, cut into pieces at the matches of `added`. Stops where the output has
  // no room.
  void encode(std::string_view text, const AddedTokens& added, IdOutput& output) const;

 private:
  class Run;

  bool long_run(std::string_view text, size_t& at, size_t step, AddedTokens::Scanner& scanner,
                Run& run) const;

  Normalizer normalizer_;
  ByteKinds kinds_;
  ByteScanner scanner_;
  const WordPiece& wordpiece_;
  const WordTable& words_;
  uint32_t memo_owner_ = WordMemo::new_owner();
};

}  // namespace gteway
