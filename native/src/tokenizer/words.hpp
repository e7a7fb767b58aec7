// Stage two where it is not BertPreTokenizer alone: normalized text to words, by the steps of a
// pre-tokenizer.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.hpp"

namespace gteway {

// Words of a text, in order. They lie in the text itself, in `storage` or in `spelled`.
struct Words {
  std::vector<std::string_view> words;
  std::string storage;              // filled after its room is reserved: views stay where they are
  std::deque<std::string> spelled;  // what steps made that are not often met

  void clear() {
    words.clear();
    storage.clear();
    spelled.clear();
  }
};

class WordSplitter {
 public:
  // `byte_letters`: ByteLevel spells bytes as GPT-2's letters; otherwise it leaves them as they are, for Bpe.
  WordSplitter(std::vector<PreTokenizerStep> steps, bool byte_letters);

  // Replaces `words`. `at_start`: the text is the beginning of all.
  void split(std::string_view text, bool at_start, Words& words) const;

  // Whether there is always a word's end in front of a space that follows another ASCII character.
  bool parts_before_spaces() const noexcept { return parts_before_spaces_; }

 private:
  // The two pipelines that are met most have a loop of their own.
  enum class Form { kByteLevelGpt2, kSpacedMetaspace, kSteps };

  std::vector<PreTokenizerStep> steps_;
  bool byte_letters_;
  bool parts_before_spaces_ = false;
  Form form_ = Form::kSteps;
};

}  // namespace gteway
