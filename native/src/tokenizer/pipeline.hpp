// Text between added tokens, to ids, by whatever stages tokenizer.json asks for: what TextToIds does in one
// pass for BERT's.
//
// The text is taken in portions, cut where no stage looks across, so that neither a long text nor a limit
// costs more than what is read of it.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/postprocessor.hpp"
#include "tokenizer/text_normalizer.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/word_memo.hpp"
#include "tokenizer/word_model.hpp"
#include "tokenizer/word_table.hpp"
#include "tokenizer/words.hpp"

namespace gteway {

class Pipeline {
 public:
  // Throws Error{kTokenizerInvalid, kTokenizerUnsupported}.
  explicit Pipeline(const TokenizerConfig& config);

  void encode(std::string_view text, IdOutput& output) const;

  // Whether a text cut behind a space has the ids of its two halves.
  bool parts_at_spaces() const noexcept { return false; }

 private:
  struct Run;

  void stretch(std::string_view text, bool at_start, Run& run, IdOutput& output) const;
  bool portion(std::string_view text, bool at_start, Run& run, IdOutput& output) const;
  void words(std::string_view text, bool at_start, Run& run) const;

  TextNormalizer normalizer_;
  WordSplitter splitter_;
  std::unique_ptr<const WordModel> model_;
  AddedTokens added_, added_normalized_;
  std::unique_ptr<const WordTable> whole_words_;
  bool parts_before_spaces_ = false;
  uint32_t memo_owner_ = WordMemo::new_owner();
};

}  // namespace gteway
