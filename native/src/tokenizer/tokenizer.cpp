#include "tokenizer/tokenizer.hpp"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/error.hpp"
#include "tokenizer/added_tokens.hpp"
#include "tokenizer/normalizer.hpp"
#include "tokenizer/pipeline.hpp"
#include "tokenizer/postprocessor.hpp"
#include "tokenizer/pretokenizer.hpp"
#include "tokenizer/text_to_ids.hpp"
#include "tokenizer/utf8.hpp"
#include "tokenizer/word_table.hpp"
#include "tokenizer/wordpiece.hpp"

namespace gteway {

namespace {

[[noreturn]] void invalid(const std::string& message) { throw Error(ErrorCode::kTokenizerInvalid, message); }

void check_text(const std::string& text, const char* what) {
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded decoded = utf8::decode(text, at);
    char bytes[4];
    if (utf8::encode(decoded.point, bytes) != decoded.bytes ||
        text.compare(at, decoded.bytes, bytes, decoded.bytes) != 0)
      invalid(std::string("the tokenizer's ") + what + " \"" + text + "\" is not UTF-8");
    at += decoded.bytes;
  }
}

void check_pair(const std::vector<TemplatePiece>& pair) {
  if (pair.empty()) return;
  std::vector<int32_t> texts;
  for (const TemplatePiece& piece : pair) {
    if (piece.id < 0) texts.push_back(piece.id);
    if (piece.type_id < 0)
      invalid("the tokenizer's template of pairs has the negative type id " + std::to_string(piece.type_id));
  }
  if (texts != std::vector<int32_t>{TemplatePiece::kFirstText, TemplatePiece::kSecondText})
    invalid("the tokenizer's template of pairs does not have both texts once, the first first");
}

const TokenizerConfig& checked(const TokenizerConfig& config) {
  if (config.vocabulary_tokens.size() != config.vocabulary_ids.size())
    invalid("the tokenizer's vocabulary has " + std::to_string(config.vocabulary_tokens.size()) +
            " tokens and " + std::to_string(config.vocabulary_ids.size()) + " ids");
  for (size_t i = 0; i < config.vocabulary_ids.size(); ++i) {
    check_text(config.vocabulary_tokens[i], "vocabulary entry");
    if (config.vocabulary_ids[i] < 0)
      invalid("the tokenizer's vocabulary: \"" + config.vocabulary_tokens[i] + "\" has the negative id " +
              std::to_string(config.vocabulary_ids[i]));
  }
  check_text(config.continuing_subword_prefix, "continuing_subword_prefix");
  for (const AddedToken& token : config.added_tokens) {
    check_text(token.content, "added token");
    if (token.content.empty()) invalid("the tokenizer's added_tokens: an empty content");
    if (token.id < 0)
      invalid("the tokenizer's added_tokens: \"" + token.content + "\" has the negative id " +
              std::to_string(token.id));
  }
  check_pair(config.pair);
  return config;
}

Normalizer::Switches switches_of(const TokenizerConfig& config) {
  return {config.clean_text, config.handle_chinese_chars, config.strip_accents, config.lowercase};
}

std::string normalized(const Normalizer& normalizer, std::string_view text) {
  std::string result;
  Normalizer::Marks marks;
  const auto append = [&](char32_t point, const unicode::Properties&) { utf8::append(result, point); };
  normalizer.feed(text, SIZE_MAX, marks, append);
  normalizer.finish(marks, append);
  return result;
}

// Whether `text` is one word that normalization leaves as it is.
bool is_plain_word(const Normalizer& normalizer, std::string_view text) {
  Normalizer::Marks marks;
  WordBuilder builder(SIZE_MAX);
  size_t words = 0;
  bool same = false;
  const auto word = [&](std::string_view bytes, bool) {
    ++words;
    same = bytes == text;
  };
  const auto point = [&](char32_t code_point, const unicode::Properties& of_point) {
    builder.add(code_point, of_point, word);
  };
  normalizer.feed(text, SIZE_MAX, marks, point);
  normalizer.finish(marks, point);
  builder.finish(word);
  return words == 1 && same;
}

WordTable plain_words(const TokenizerConfig& config) {
  const Normalizer normalizer(switches_of(config));
  std::vector<WordTable::Entry> entries;
  // Backwards: of equal words the table keeps the first, the vocabulary the last.
  for (size_t i = config.vocabulary_tokens.size(); i-- > 0;) {
    const std::string_view token = config.vocabulary_tokens[i];
    const auto chars =
        std::count_if(token.begin(), token.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
    if (token.empty() || token.size() > WordKey::kMaxBytes || token.find('\0') != token.npos ||
        static_cast<size_t>(chars) > config.max_input_chars_per_word || !is_plain_word(normalizer, token))
      continue;
    entries.push_back({token, config.vocabulary_ids[i]});
  }
  return WordTable(entries);
}

std::vector<AddedToken> added_where(const TokenizerConfig& config, bool normalized) {
  std::vector<AddedToken> tokens;
  std::copy_if(config.added_tokens.begin(), config.added_tokens.end(), std::back_inserter(tokens),
               [&](const AddedToken& token) { return token.normalized == normalized; });
  return tokens;
}

AddedTokens added_before_normalization(const TokenizerConfig& config) {
  const std::vector<AddedToken> tokens = added_where(config, false);
  std::vector<std::string> patterns;
  for (const AddedToken& token : tokens) patterns.push_back(token.content);
  return AddedTokens(tokens, patterns);
}

AddedTokens added_after_normalization(const TokenizerConfig& config) {
  const Normalizer normalizer(switches_of(config));
  const std::vector<AddedToken> tokens = added_where(config, true);
  std::vector<std::string> patterns;
  for (const AddedToken& token : tokens) {
    patterns.push_back(normalized(normalizer, token.content));
    if (patterns.back().empty())
      throw Error(ErrorCode::kTokenizerUnsupported, "the tokenizer's added_tokens: nothing is left of \"" +
                                                        token.content + "\" once it is normalized");
  }
  return AddedTokens(tokens, patterns);
}

// BERT's stages, in one pass.
class BertText {
 public:
  explicit BertText(const TokenizerConfig& config)
      : wordpiece_({config.vocabulary_tokens, config.vocabulary_ids, config.unk_token,
                    config.continuing_subword_prefix, config.max_input_chars_per_word}),
        words_(plain_words(config)),
        normalizer_(switches_of(config)),
        added_(added_before_normalization(config)),
        added_normalized_(added_after_normalization(config)),
        no_added_({}, {}),
        encoder_(switches_of(config), wordpiece_, words_),
        normalized_encoder_({}, wordpiece_, words_) {}

  void encode(std::string_view text, IdOutput& output) const {
    if (added_normalized_.empty()) {
      encoder_.encode(text, added_, output);
    } else {
      encode_in_two_passes(text, output);
    }
  }

  bool parts_at_spaces() const noexcept {
    return !added_.any_has_whitespace() && !added_normalized_.any_has_whitespace();
  }

 private:
  WordPiece wordpiece_;
  WordTable words_;
  Normalizer normalizer_;
  AddedTokens added_, added_normalized_, no_added_;
  TextToIds encoder_;             // from raw text
  TextToIds normalized_encoder_;  // from text that is normalized already

  // Tokens that are matched in normalized text need that text. It is made a window at a time, cut where no
  // token can lie across: at ASCII white space, unless a token holds white space itself.
  void encode_in_two_passes(std::string_view text, IdOutput& output) const {
    constexpr size_t kWindow = 4096;
    AddedTokens::Scanner scanner(added_, text);
    for (size_t at = 0; (at < text.size() || scanner.look(text.size())) && !output.overflowed();) {
      size_t end = at, until = at;
      for (size_t window = kWindow; end == at; window *= 2) {
        until = added_normalized_.any_has_whitespace() ? text.size() : std::min(at + window, text.size());
        const auto& match = scanner.look(until);
        end = std::max(match ? match->start : scanner.clear_until(), at);
        if (match || end == text.size()) break;
        while (end > at && !is_cut(text[end - 1])) --end;
      }
      if (end > at) {
        normalized_encoder_.encode(normalized(normalizer_, text.substr(at, end - at)), added_normalized_,
                                   output);
        at = end;
      } else if (const auto& match = scanner.look(until)) {
        if (match->id != AddedTokens::kNothing) output.take(&match->id, 1);
        at = match->end;
        scanner.accept();
      }
    }
  }

  static bool is_cut(char byte) noexcept {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
  }
};

}  // namespace

struct Tokenizer::Impl {
  std::unique_ptr<const BertText> bert;  // one of the two
  std::unique_ptr<const Pipeline> pipeline;
  PostProcessor postprocessor;
  int32_t left_out_id;
  size_t chars_per_token;
  std::unordered_map<int32_t, std::string> tokens;

  explicit Impl(TokenizerConfig& config)
      : bert(config.bert ? std::make_unique<const BertText>(config) : nullptr),
        pipeline(config.bert ? nullptr : std::make_unique<const Pipeline>(config)),
        postprocessor{std::move(config.prefix_ids), std::move(config.suffix_ids), std::move(config.pair)},
        left_out_id(config.left_out_id),
        chars_per_token(config.chars_per_token) {
    for (size_t i = 0; i < config.vocabulary_tokens.size(); ++i)
      tokens[config.vocabulary_ids[i]] = std::move(config.vocabulary_tokens[i]);
    for (AddedToken& token : config.added_tokens) tokens[token.id] = std::move(token.content);
  }

  std::string_view part_read(std::string_view text, size_t max_tokens) const {
    if (chars_per_token == 0 || max_tokens >= text.size() / chars_per_token + 1) return text;
    return text.substr(0, utf8::bytes_of_points(text, max_tokens * chars_per_token));
  }

  void encode(std::string_view text, IdOutput& output) const {
    if (bert) {
      bert->encode(text, output);
    } else {
      pipeline->encode(text, output);
    }
  }
};

Tokenizer::Tokenizer(TokenizerConfig config)
    : impl_((checked(config), std::make_unique<const Impl>(config))) {}
Tokenizer::~Tokenizer() = default;

bool Tokenizer::encode(std::string_view text, size_t max_tokens, bool add_special_tokens,
                       std::vector<int32_t>& ids) const {
  const PostProcessor& around = impl_->postprocessor;
  const std::string_view read = impl_->part_read(text, max_tokens);
  const bool cut = read.size() < text.size();
  if (!add_special_tokens) {
    IdOutput output(&ids, max_tokens, impl_->left_out_id);
    impl_->encode(read, output);
    return cut || output.overflowed();
  }
  const size_t begin = ids.size();
  ids.insert(ids.end(), around.prefix_ids.begin(), around.prefix_ids.end());
  IdOutput output(&ids, max_tokens == kNoLimit ? kNoLimit : max_tokens - std::min(max_tokens, around.added()),
                  impl_->left_out_id);
  impl_->encode(read, output);
  ids.insert(ids.end(), around.suffix_ids.begin(), around.suffix_ids.end());
  if (ids.size() - begin > max_tokens) {
    ids.resize(begin + max_tokens);
    return true;
  }
  return cut || output.overflowed();
}

bool Tokenizer::encode_pair(std::string_view first, std::string_view second, size_t max_tokens,
                            bool add_special_tokens, std::vector<int32_t>& ids,
                            std::vector<int32_t>& type_ids) const {
  if (!pairs()) throw Error(ErrorCode::kTokenizerUnsupported, "the tokenizer has no template of pairs");
  const size_t begin = ids.size(), types_begin = type_ids.size();
  const size_t added = add_special_tokens ? impl_->postprocessor.added_to_pair() : 0;
  size_t room = max_tokens == kNoLimit ? kNoLimit : max_tokens - std::min(max_tokens, added);
  bool cut = false;
  for (const TemplatePiece& piece : impl_->postprocessor.pair) {
    if (piece.id >= 0) {
      if (add_special_tokens) ids.push_back(piece.id);
    } else {
      IdOutput output(&ids, room);
      impl_->encode(piece.id == TemplatePiece::kFirstText ? first : second, output);
      room -= room == kNoLimit ? 0 : output.taken();
      cut |= output.overflowed();
    }
    type_ids.resize(types_begin + (ids.size() - begin), piece.type_id);
  }
  if (ids.size() - begin <= max_tokens) return cut;
  ids.resize(begin + max_tokens);
  type_ids.resize(types_begin + max_tokens);
  return true;
}

size_t Tokenizer::count(std::string_view text, bool add_special_tokens) const {
  IdOutput output(nullptr, kNoLimit, impl_->left_out_id);
  impl_->encode(text, output);
  return output.taken() + (add_special_tokens ? impl_->postprocessor.added() : 0);
}

size_t Tokenizer::share_of_limit(std::string_view text) const {
  const size_t tokens = count(text, false), per_token = impl_->chars_per_token;
  if (per_token == 0) return tokens;
  return std::max(tokens, (utf8::count_points(text) + per_token - 1) / per_token);
}

size_t Tokenizer::special_tokens_added() const noexcept { return impl_->postprocessor.added(); }

bool Tokenizer::pairs() const noexcept { return !impl_->postprocessor.pair.empty(); }

size_t Tokenizer::pair_tokens_added() const noexcept { return impl_->postprocessor.added_to_pair(); }

bool Tokenizer::parts_at_spaces() const noexcept {
  return impl_->bert ? impl_->bert->parts_at_spaces() : impl_->pipeline->parts_at_spaces();
}

std::string_view Tokenizer::token(int32_t id) const {
  const auto found = impl_->tokens.find(id);
  return found == impl_->tokens.end() ? std::string_view() : found->second;
}

}  // namespace gteway
