// libFuzzer target: the input is the stages of a tokenizer, its model and a text. Portions of the text must
// give the ids of the whole, a limit their beginning, and Unigram those of its slow reference.
//
// scripts/fuzz.sh builds and runs it under AddressSanitizer and UndefinedBehaviorSanitizer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "fuzz/input.hpp"
#include "tokenizer/reference_unigram.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/utf8.hpp"

using namespace gteway;
using fuzz::expect;
using fuzz::Input;
using gteway::test::ReferenceUnigram;

namespace {

PatternConfig pattern_from(Input& input) {
  PatternConfig pattern;
  const uint8_t shape = input.byte();
  if (shape & 1) {
    pattern.literal = input.bytes(1 + shape / 2 % 3);
  } else {
    pattern.characters = {input.byte(), input.byte()};
    pattern.whitespace = shape & 2;
    pattern.least = 1 + shape / 4 % 4;
    pattern.most = shape & 16 ? SIZE_MAX : pattern.least + shape / 32;
  }
  return pattern;
}

TokenizerConfig config_from(Input& input) {
  TokenizerConfig config;
  config.bert = false;
  const uint8_t kinds = input.byte(), switches = input.byte();
  config.model = static_cast<ModelKind>(kinds % 3);
  for (size_t count = kinds / 4 % 4; count > 0; --count) {
    NormalizerStep step{};
    step.kind = static_cast<NormalizerStep::Kind>(input.byte() % 12);
    const uint8_t options = input.byte();
    step.clean_text = step.strip_left = options & 1;
    step.handle_chinese_chars = step.strip_right = options & 2;
    step.strip_accents = options & 4;
    step.lowercase = options & 8;
    if (step.kind == NormalizerStep::Kind::kReplace) step.pattern = pattern_from(input);
    step.text = input.bytes(options >> 6);
    if (step.kind == NormalizerStep::Kind::kPrecompiled) step.bytes = input.bytes(input.byte());
    config.normalizers.push_back(step);
  }
  for (size_t count = kinds / 16 % 4; count > 0; --count) {
    PreTokenizerStep step{};
    step.kind = static_cast<PreTokenizerStep::Kind>(input.byte() % 9);
    const uint8_t options = input.byte();
    step.behavior = static_cast<PreTokenizerStep::Behavior>(options % 5);
    step.prepend = static_cast<PreTokenizerStep::Prepend>(options / 8 % 3);
    step.regex = static_cast<WordRegex>(options / 8 % 3);
    step.invert = step.split = options & 64;
    step.use_regex = options & 64;
    step.add_prefix_space = options & 128;
    if (step.kind == PreTokenizerStep::Kind::kPattern) step.pattern = pattern_from(input);
    step.text = options & 1 ? "\xE2\x96\x81" : "_";
    config.pre_tokenizers.push_back(step);
  }
  const auto is_bytes = [](const PreTokenizerStep& step) {
    return step.kind == PreTokenizerStep::Kind::kByteLevel;
  };
  config.byte_level =
      !config.pre_tokenizers.empty() && is_bytes(config.pre_tokenizers.back()) &&
      std::count_if(config.pre_tokenizers.begin(), config.pre_tokenizers.end(), is_bytes) == 1;
  const auto take_in = [&](const std::string& token) {
    config.vocabulary_ids.push_back(static_cast<int32_t>(config.vocabulary_tokens.size()));
    config.vocabulary_tokens.push_back(token);
    return config.vocabulary_ids.back();
  };
  for (size_t count = 1 + input.byte() % 40; count > 0; --count) {
    take_in(input.bytes(1 + input.byte() % 6));
    config.scores.push_back(-static_cast<double>(input.byte()) / 8);
  }
  config.unk_id = 0;
  if (config.model == ModelKind::kWordPiece || switches & 1) config.unk_token = config.vocabulary_tokens[0];
  config.byte_fallback = switches & 2;
  config.fuse_unk = switches & 4;
  config.ignore_merges = switches & 8;
  if (switches & 16) config.continuing_subword_prefix = "##";
  if (switches & 32) config.end_of_word_suffix = "$";
  // Each rule's result is a token that the next can merge.
  for (size_t count = config.model == ModelKind::kBpe ? input.byte() % 20 : 0; count > 0; --count) {
    const size_t left = input.byte() % config.vocabulary_tokens.size();
    const size_t right = input.byte() % config.vocabulary_tokens.size();
    const std::string both = config.vocabulary_tokens[left] + config.vocabulary_tokens[right];
    if (both.size() > 200) continue;  // they could double each time
    const int32_t merged = take_in(both);
    config.merges.insert(config.merges.end(),
                         {static_cast<int32_t>(left), static_cast<int32_t>(right), merged});
  }
  for (uint8_t added = input.byte() % 4; added > 0; --added) {
    const uint8_t rules = input.byte();
    config.added_tokens.push_back({input.bytes(1 + rules % 6), 1000 + added, (rules & 8) != 0,
                                   (rules & 16) != 0, (rules & 32) != 0, (rules & 64) != 0,
                                   (rules & 128) != 0});
  }
  return config;
}

std::vector<int32_t> ids_of(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids;
  expect(!tokenizer.encode(text, Tokenizer::kNoLimit, false, ids), "truncated without a limit");
  return ids;
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  TokenizerConfig config = config_from(input);
  const uint8_t limit_seed = input.byte();
  // So long that it comes in portions.
  std::string text;
  const std::string_view part = input.rest();
  while (!part.empty() && text.size() < 2500) text += part;
  try {
    const Tokenizer tokenizer(config);
    const std::vector<int32_t> ids = ids_of(tokenizer, text);
    expect(tokenizer.count(text, false) == ids.size(), "count() differs from encode()");
    const size_t limit = limit_seed % (ids.size() + 2);
    std::vector<int32_t> cut;
    expect(tokenizer.encode(text, limit, false, cut) == (ids.size() > limit), "truncated is wrong");
    expect(cut.size() == std::min(limit, ids.size()) && std::equal(cut.begin(), cut.end(), ids.begin()),
           "the limited ids are not the beginning of all ids");
    // Without other stages the text is one word.
    if (config.model == ModelKind::kUnigram && config.normalizers.empty() && config.pre_tokenizers.empty() &&
        config.added_tokens.empty())
      expect(ids == ReferenceUnigram(config).ids(repaired(text)), "Unigram's ids are not the reference's");
    // A step that strips nothing, and because it might nothing is cut.
    NormalizerStep strip{};
    strip.kind = NormalizerStep::Kind::kStrip;
    config.normalizers.push_back(strip);
    expect(ids_of(Tokenizer(config), text) == ids, "portions give other ids than the whole");
  } catch (const Error& error) {
    expect(error.code == ErrorCode::kTokenizerInvalid || error.code == ErrorCode::kTokenizerUnsupported,
           "an unexpected error");
  }
  return 0;
}
