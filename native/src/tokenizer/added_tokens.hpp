// Tokens such as "[MASK]" that are matched in the text itself, before or after normalization, and cut it into
// pieces.
//
// The rules are those of Hugging Face tokenizers: from left to right, of the tokens that begin at one place
// the longest; one that is refused (`single_word`) still hides those that begin inside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/double_array.hpp"

namespace gteway {

struct AddedToken;

class AddedTokens {
 public:
  // `patterns` beside `tokens`: what to look for (the content, or its normalized form). Of equal patterns the
  // first.
  AddedTokens(std::span<const AddedToken> tokens, std::span<const std::string> patterns);

  bool empty() const noexcept { return rules_.empty(); }
  bool any_has_whitespace() const noexcept { return any_has_whitespace_; }

  static constexpr int32_t kNothing = -1;
  struct Match {
    size_t start, end;  // of the text, white space swallowed by lstrip and rstrip included
    int32_t id;  // kNothing where the token before swallowed all of it: it parts the text, and has no id
  };

  // Finds the matches of one text one after the other, reading no further than it is asked to.
  class Scanner {
   public:
    Scanner(const AddedTokens& tokens, std::string_view text) noexcept : tokens_(tokens), text_(text) {}

    // The next match, if its token begins before text[until]; otherwise none, and up to until() there is
    // none.
    const std::optional<Match>& look(size_t until) noexcept;
    size_t clear_until() const noexcept { return scanned_; }
    // Forgets the match that was found; the text goes on at its `end`.
    void accept() noexcept {
      previous_end_ = match_->end;
      match_.reset();
    }

   private:
    const AddedTokens& tokens_;
    std::string_view text_;
    size_t scanned_ = 0;       // no match begins before it, but match_
    size_t previous_end_ = 0;  // lstrip never reaches behind it
    std::optional<Match> match_;
  };

 private:
  friend class Scanner;

  struct Rule {
    int32_t id;
    bool single_word, lstrip, rstrip;
  };

  size_t next_candidate(std::string_view text, size_t from, size_t until) const noexcept;

  DoubleArray trie_;
  std::vector<Rule> rules_;
  bool begins_[256] = {};
  int only_beginning_ = -1;  // the byte that all of them begin with, if there is one
  bool any_has_whitespace_ = false;
};

}  // namespace gteway
