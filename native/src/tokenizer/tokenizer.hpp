// Text to token ids, as Hugging Face tokenizers does it: normalize, split, match pieces, add special tokens.
//
// A Tokenizer is immutable once built and safe to use from any number of threads. It never reads files or
// JSON: lib/tokenizer/tokenizer-json.ts parses and validates tokenizer.json and hands over the plain data
// below.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gteway {

// A token that is matched in the text before anything else, such as "[MASK]".
struct AddedToken {
  std::string content;  // UTF-8
  int32_t id = 0;
  bool single_word = false;  // match only where no word character stands beside it
  bool lstrip = false;       // swallow white space before it
  bool rstrip = false;       // swallow white space after it
  bool normalized = false;   // match in the normalized text instead of the original
  bool special = false;
};

// One place of the template of pairs: a special token, or one of the two texts.
struct TemplatePiece {
  static constexpr int32_t kFirstText = -1, kSecondText = -2;
  int32_t id;  // of the special token, or one of the two above
  int32_t type_id;
};

// A literal, or characters of a set, at least and at most so many in a row.
struct PatternConfig {
  std::string literal;        // UTF-8; empty: the set
  std::u32string characters;  // among them …
  bool whitespace = false;    // … all white space
  size_t least = 1, most = SIZE_MAX;

  // Whether only ASCII white space, if \s counts as such, or none of it can be in a match.
  bool only_blanks() const {
    return literal.find_first_not_of(kBlanks) == literal.npos &&
           characters.find_first_not_of(kBlankCharacters) == characters.npos;
  }
  bool no_blanks() const {
    return !whitespace && literal.find_first_of(kBlanks) == literal.npos &&
           characters.find_first_of(kBlankCharacters) == characters.npos;
  }

 private:
  static constexpr const char* kBlanks = " \t\n\v\f\r";
  static constexpr const char32_t* kBlankCharacters = U" \t\n\v\f\r";
};

struct NormalizerStep {
  enum class Kind {
    kBert,
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kLowercase,
    kStripAccents,
    kNmt,
    kReplace,
    kPrepend,
    kStrip,
    kPrecompiled,
  };
  Kind kind;
  bool clean_text = false, handle_chinese_chars = false, strip_accents = false, lowercase = false;  // kBert
  PatternConfig pattern;                         // kReplace
  std::string text;                              // kReplace: the content; kPrepend
  bool strip_left = false, strip_right = false;  // kStrip
  std::string bytes;                             // kPrecompiled: the character map
};

// Regular expressions that are known by name: see regex_words.hpp.
enum class WordRegex { kGpt2, kCl100k, kQwen };

struct PreTokenizerStep {
  enum class Kind {
    kBert,
    kWhitespace,
    kWhitespaceSplit,
    kPunctuation,
    kDigits,
    kPattern,
    kRegex,
    kByteLevel,
    kMetaspace
  };
  enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
  enum class Prepend { kAlways, kFirst, kNever };
  Kind kind;
  Behavior behavior = Behavior::kIsolated;  // kPunctuation, kDigits, kPattern
  PatternConfig pattern;                    // kPattern
  bool invert = false;                      // kPattern
  WordRegex regex = WordRegex::kGpt2;       // kRegex
  bool add_prefix_space = false;            // kByteLevel
  bool use_regex = false;                   // kByteLevel
  std::string text;                         // kMetaspace: what a space becomes, not empty
  Prepend prepend = Prepend::kNever;        // kMetaspace
  bool split = false;                       // kMetaspace
};

enum class ModelKind { kWordPiece, kUnigram, kBpe };

struct TokenizerConfig {
  ModelKind model = ModelKind::kWordPiece;
  std::vector<std::string> vocabulary_tokens;  // UTF-8, in any order, with vocabulary_ids beside it
  std::vector<int32_t> vocabulary_ids;         // may have holes and duplicates; with kUnigram 0, 1, 2, …
  std::string unk_token;                       // with kBpe empty: what is unknown is left out
  std::string continuing_subword_prefix;       // "##"; with kBpe usually empty
  uint32_t max_input_chars_per_word = 100;     // kWordPiece: code points; a longer word is one unk_token
  std::vector<double> scores;                  // kUnigram, beside the vocabulary
  int32_t unk_id = -1;                         // kUnigram
  std::vector<int32_t> merges;                 // kBpe: left, right and merged id, best first
  std::string end_of_word_suffix;              // kBpe
  bool byte_fallback = false;  // kUnigram, kBpe: unknown characters as tokens <0x00> to <0xFF>
  bool fuse_unk = false;       // kBpe: unknown characters in a row are one
  bool ignore_merges = false;  // kBpe: a word in the vocabulary is not merged
  bool byte_level = false;     // the last step before the model is ByteLevel, and there is no other
  // The normalizer is BertNormalizer or none, the pre-tokenizer BertPreTokenizer, the model WordPiece: then
  // the four switches count, otherwise the steps.
  bool bert = true;
  std::vector<NormalizerStep> normalizers;
  std::vector<PreTokenizerStep> pre_tokenizers;
  // BertNormalizer's four switches, after its own defaults were applied.
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
  // What the post-processor puts around a single sequence: [CLS] … [SEP] for BERT.
  std::vector<int32_t> prefix_ids;
  std::vector<int32_t> suffix_ids;
  // What it makes of two: [CLS] first [SEP] second [SEP] for BERT. Both texts once, the first first; empty
  // where pairs are not to be had.
  std::vector<TemplatePiece> pair;
  std::vector<AddedToken> added_tokens;
  // As models do that are no more than a table of token vectors: ids that are left out of every text (-1:
  // none), and how many code points of a text are read for each token of a limit, before it is tokenized (0:
  // all). Not for pairs.
  int32_t left_out_id = -1;
  size_t chars_per_token = 0;
};

class Tokenizer {
 public:
  static constexpr size_t kNoLimit = SIZE_MAX;

  // Throws Error{kTokenizerInvalid} when the parts contradict each other (unk_token not in the vocabulary,
  // …).
  explicit Tokenizer(TokenizerConfig config);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Appends the ids of `text` to `ids`, at most `max_tokens` of them, prefix and suffix counted: a text that
  // has more is cut, its suffix kept, and true is returned. `text` is UTF-8; malformed bytes are read as
  // U+FFFD.
  bool encode(std::string_view text, size_t max_tokens, bool add_special_tokens,
              std::vector<int32_t>& ids) const;

  // Appends the ids of two texts in the template of pairs, and beside each its type id, at most `max_tokens`
  // of them, special tokens counted. Of a longer pair the second text is cut; the first is cut only where it
  // alone leaves no room, and then nothing is left of the second. Returns whether anything was cut. A limit
  // below pair_tokens_added() leaves out special tokens from the end, and returns true. Throws
  // Error{kTokenizerUnsupported} without pairs().
  bool encode_pair(std::string_view first, std::string_view second, size_t max_tokens,
                   bool add_special_tokens, std::vector<int32_t>& ids, std::vector<int32_t>& type_ids) const;

  // How many ids encode() would append without a limit.
  size_t count(std::string_view text, bool add_special_tokens) const;

  // How much of a limit the text takes up, special tokens apart: its tokens, or what its characters do.
  size_t share_of_limit(std::string_view text) const;

  // How many ids a prefix and suffix add: a limit below this leaves no room for any text.
  size_t special_tokens_added() const noexcept;
  // Whether the configuration has a template of pairs, and what that adds.
  bool pairs() const noexcept;
  size_t pair_tokens_added() const noexcept;

  // Whether a text cut behind a space has the tokens of its two halves: no added token holds white space.
  bool parts_at_spaces() const noexcept;

  // The token's text, empty when no token has this id. Of duplicates, the one that tokenizer.json lists last.
  std::string_view token(int32_t id) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace gteway
