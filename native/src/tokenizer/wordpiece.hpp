// Stage three: WordPiece. A word becomes the longest vocabulary entry it begins with, the rest again, or,
// where that fails, unk_token as a whole.
//
// Linear in the word's length however the vocabulary looks: a trie with failure links (Song et al., "Fast
// WordPiece Tokenization", EMNLP 2021).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/double_array.hpp"

namespace gteway {

class WordPiece {
 public:
  struct Config {
    std::vector<std::string> tokens;  // UTF-8; ids beside them
    std::vector<int32_t> ids;
    std::string unk_token;
    std::string continuing_subword_prefix;
    uint32_t max_input_chars_per_word;
    // Whether words may hold punctuation and white space beside other characters, as BertPreTokenizer's never
    // do.
    bool any_words = false;
  };

  // Throws Error{kTokenizerInvalid} when unk_token is missing, Error{kTokenizerUnsupported} when the
  // vocabulary's tokens are so long that the failure links would not fit in memory.
  explicit WordPiece(const Config& config);

  int32_t unk_id() const noexcept { return unk_id_; }
  size_t max_chars() const noexcept { return max_chars_; }

  // Writes the ids of `word`, which is normalized, not empty and has at most max_chars() code points, and
  // returns how many: at most one per code point.
  size_t match(std::string_view word, int32_t* ids) const noexcept {
    const size_t count = walk(word, first_root_, ids);
    if (count > 0) return count;
    ids[0] = unk_id_;
    return 1;
  }

  // The same for what is left of a word behind its first piece; 0 where there is no way to write it.
  size_t match_rest(std::string_view rest, int32_t* ids) const noexcept {
    return walk(rest, rest_root_, ids);
  }

 private:
  size_t walk(std::string_view text, uint32_t node, int32_t* ids) const noexcept;

  // A place of the double array, with what its failure means: a quarter of a cache line.
  struct Node {
    uint32_t base, parent;
    uint32_t fail;
    uint32_t pops;  // pops_[pops] ids follow it: what is certain once the trie goes no further
  };

  std::vector<Node> nodes_;
  uint32_t first_root_, rest_root_;
  std::vector<int32_t> pops_;
  int32_t unk_id_;
  size_t max_chars_;
};

}  // namespace gteway
