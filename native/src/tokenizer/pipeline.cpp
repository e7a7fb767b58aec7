#include "tokenizer/pipeline.hpp"

#include <algorithm>
#include <deque>
#include <string>

#include "base/error.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/unigram.hpp"
#include "tokenizer/utf8.hpp"
#include "tokenizer/wordpiece.hpp"

namespace gteway {

namespace {

class WordPieceWords : public WordModel {
 public:
  explicit WordPieceWords(const TokenizerConfig& config)
      : wordpiece_({config.vocabulary_tokens, config.vocabulary_ids, config.unk_token,
                    config.continuing_subword_prefix, config.max_input_chars_per_word, true}) {}

  void match(std::string_view word, std::vector<int32_t>& ids) const override {
    const auto chars =
        std::count_if(word.begin(), word.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
    if (static_cast<size_t>(chars) > wordpiece_.max_chars()) {
      ids.push_back(wordpiece_.unk_id());
      return;
    }
    const size_t begin = ids.size();
    ids.resize(begin + static_cast<size_t>(chars));
    ids.resize(begin + wordpiece_.match(word, ids.data() + begin));
  }

 private:
  WordPiece wordpiece_;
};

std::unique_ptr<const WordModel> model_of(const TokenizerConfig& config) {
  switch (config.model) {
    case ModelKind::kUnigram:
      return std::make_unique<const Unigram>(config);
    case ModelKind::kBpe:
      return std::make_unique<const Bpe>(config);
    case ModelKind::kWordPiece:
      break;
  }
  return std::make_unique<const WordPieceWords>(config);
}

AddedTokens added_of(const TokenizerConfig& config, bool normalized, const TextNormalizer& normalizer) {
  std::vector<AddedToken> tokens;
  std::vector<std::string> patterns;
  for (const AddedToken& token : config.added_tokens) {
    if (token.normalized != normalized) continue;
    tokens.push_back(token);
    std::string storage;
    bool at_start = true;
    patterns.emplace_back(normalized ? normalizer.normalize(token.content, storage, at_start)
                                     : std::string_view(token.content));
    if (patterns.back().empty())
      throw Error(ErrorCode::kTokenizerUnsupported, "the tokenizer's added_tokens: nothing is left of \"" +
                                                        token.content + "\" once it is normalized");
  }
  return AddedTokens(tokens, patterns);
}

// Words that the model writes as one piece, as the vocabulary has them.
WordTable whole_words(const TokenizerConfig& config, const WordModel& model) {
  std::vector<WordTable::Entry> entries;
  std::deque<std::string> spelled;
  std::vector<int32_t> ids;
  for (const std::string& token : config.vocabulary_tokens) {
    const std::string& word = config.byte_level ? spelled.emplace_back(Bpe::bytes_of(token)) : token;
    if (word.empty() || word.size() > WordKey::kMaxBytes || word.find('\0') != word.npos) continue;
    ids.clear();
    model.match(word, ids);
    if (ids.size() == 1) entries.push_back({word, ids[0]});
  }
  return WordTable(entries);
}

bool is_text(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (static_cast<signed char>(text[at]) >= 0) {
      ++at;
      continue;
    }
    const utf8::Decoded next = utf8::decode(text, at);
    if (next.point == utf8::kReplacement && text.compare(at, 3, "\xEF\xBF\xBD") != 0) return false;
    at += next.bytes;
  }
  return true;
}

std::string repaired(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded next = utf8::decode(text, at);
    utf8::append(result, next.point);
    at += next.bytes;
  }
  return result;
}

constexpr size_t kLeastPortion = 256, kPortion = 2048;

// Where a portion of text[at, limit) ends that is not much longer than `step`.
size_t portion_end(std::string_view text, size_t at, size_t step, size_t limit) {
  while (step < limit - at) {
    for (size_t end = at + step; end > at + step / 2; --end) {
      const auto before = static_cast<unsigned char>(text[end - 1]);
      if (text[end] == ' ' && before > ' ' && before < 0x7F) return end;
    }
    step *= 2;
  }
  return limit;
}

}  // namespace

// What a call of encode() needs besides; kept between portions.
struct Pipeline::Run {
  std::string normalized, repaired;
  Words words;
  std::vector<int32_t> ids;
  WordMemo& memo = WordMemo::of_this_thread();
};

Pipeline::Pipeline(const TokenizerConfig& config)
    : normalizer_(config.normalizers),
      splitter_(config.pre_tokenizers, !(config.model == ModelKind::kBpe && config.byte_level)),
      model_(model_of(config)),
      added_(added_of(config, false, normalizer_)),
      added_normalized_(added_of(config, true, normalizer_)),
      whole_words_(std::make_unique<const WordTable>(whole_words(config, *model_))) {
  const bool across = std::any_of(config.added_tokens.begin(), config.added_tokens.end(),
                                  [](const AddedToken& token) { return token.normalized && token.rstrip; });
  parts_before_spaces_ = normalizer_.parts_before_spaces() && splitter_.parts_before_spaces() && !across &&
                         !added_normalized_.any_has_whitespace();
}

void Pipeline::encode(std::string_view text, IdOutput& output) const {
  Run run;
  if (!is_text(text)) text = run.repaired = repaired(text);
  AddedTokens::Scanner scanner(added_, text);
  for (size_t at = 0; (at < text.size() || scanner.look(text.size())) && !output.overflowed();) {
    const size_t step = std::clamp(output.room_left(), kLeastPortion / 4, kPortion / 4) * 4;
    const auto* match = &scanner.look(at + step);
    size_t limit = std::max(*match ? (*match)->start : scanner.clear_until(), at);
    if (at < limit || (!*match && at < text.size())) {
      size_t end = limit;
      if (!*match && limit < text.size()) {
        // Further on, until there is a place to cut.
        end =
            parts_before_spaces_ ? portion_end(text, at, std::max<size_t>(limit - at, 2) - 1, limit) : limit;
        for (size_t more = step; end == limit && !*match && limit < text.size();) {
          more *= 2;
          match = &scanner.look(at + more);
          limit = std::max(*match ? (*match)->start : scanner.clear_until(), at);
          end = parts_before_spaces_ && limit < text.size() ? portion_end(text, at, step, limit) : limit;
        }
      }
      if (!portion(text.substr(at, end - at), at == 0, run, output)) return;
      at = end;
    } else if (*match) {
      if ((*match)->id != AddedTokens::kNothing && !output.take(&(*match)->id, 1)) return;
      at = (*match)->end;
      scanner.accept();
    }
  }
}

// False where the output wants no more.
bool Pipeline::portion(std::string_view text, bool at_start, Run& run, IdOutput& output) const {
  run.ids.clear();
  const std::string_view normalized = normalizer_.normalize(text, run.normalized, at_start);
  if (added_normalized_.empty()) {
    words(normalized, at_start, run);
    return output.take(run.ids.data(), run.ids.size());
  }
  AddedTokens::Scanner scanner(added_normalized_, normalized);
  for (size_t at = 0; at < normalized.size();) {
    const auto& match = scanner.look(normalized.size());
    const size_t end = match ? match->start : normalized.size();
    if (at < end) words(normalized.substr(at, end - at), at_start && at == 0, run);
    at = end;
    if (!match) break;
    if (match->id != AddedTokens::kNothing) run.ids.push_back(match->id);
    at = std::max(at, match->end);
    scanner.accept();
  }
  return output.take(run.ids.data(), run.ids.size());
}

void Pipeline::words(std::string_view text, bool at_start, Run& run) const {
  splitter_.split(text, at_start, run.words);
  for (const std::string_view word : run.words.words) {
    // In a key a zero byte at the end is no different from none.
    if (word.size() > WordKey::kMaxBytes || word.back() == '\0') {
      model_->match(word, run.ids);
      continue;
    }
    const WordKey key = WordKey::of(word);
    if (const int32_t whole = whole_words_->find(key); whole >= 0) {
      run.ids.push_back(whole);
      continue;
    }
    WordMemo::Slot& slot = run.memo.slot(key);
    const size_t begin = run.ids.size();
    const bool keyed = memo_owner_ != WordMemo::kNobody;
    if (keyed && WordMemo::holds(slot, key, memo_owner_)) {
      run.ids.insert(run.ids.end(), slot.ids, slot.ids + slot.count());
      continue;
    }
    model_->match(word, run.ids);
    const size_t count = run.ids.size() - begin;
    if (keyed && count <= WordMemo::kIds) {
      slot.key = key;
      std::copy_n(run.ids.begin() + static_cast<ptrdiff_t>(begin), count, slot.ids);
      slot.owner_and_count = memo_owner_ << 8 | static_cast<uint32_t>(count);
    }
  }
}

}  // namespace gteway
