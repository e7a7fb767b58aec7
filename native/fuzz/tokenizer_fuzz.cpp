// libFuzzer target: the input is a configuration and a text; the ids must be those of the slow reference.
//
// scripts/fuzz.sh builds and runs it under AddressSanitizer and UndefinedBehaviorSanitizer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "fuzz/input.hpp"
#include "tokenizer/reference_tokenizer.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/transcode.hpp"

using namespace gteway;
using fuzz::expect;
using fuzz::Input;
using gteway::test::ReferenceTokenizer;

namespace {

TokenizerConfig config_from(Input& input) {
  TokenizerConfig config;
  const uint8_t switches = input.byte();
  config.clean_text = switches & 1;
  config.handle_chinese_chars = switches & 2;
  config.strip_accents = switches & 4;
  config.lowercase = switches & 8;
  config.continuing_subword_prefix = switches & 16 ? input.bytes(switches >> 6) : "##";
  config.max_input_chars_per_word = switches & 32 ? input.byte() : 100;
  config.unk_token = "[UNK]";
  const size_t tokens = input.byte() % 48;
  for (size_t i = 0; i < tokens; ++i) {
    const uint8_t shape = input.byte();
    config.vocabulary_tokens.push_back((shape & 128 ? config.continuing_subword_prefix : "") +
                                       input.bytes(shape % 20));
    // Holes, and an id twice now and then.
    config.vocabulary_ids.push_back(static_cast<int32_t>(shape % 7 == 0 ? 3 : i * 2));
  }
  config.vocabulary_tokens.push_back(config.unk_token);
  config.vocabulary_ids.push_back(static_cast<int32_t>(tokens * 2));
  for (uint8_t added = input.byte() % 5; added > 0; --added) {
    const uint8_t rules = input.byte();
    config.added_tokens.push_back({input.bytes(1 + rules % 6), 1000 + added, (rules & 8) != 0,
                                   (rules & 16) != 0, (rules & 32) != 0, (rules & 64) != 0,
                                   (rules & 128) != 0});
  }
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const TokenizerConfig config = config_from(input);
  const uint8_t limit_seed = input.byte();
  const std::string_view text = input.rest();
  try {
    const Tokenizer tokenizer(config);
    std::vector<int32_t> ids, cut;
    expect(!tokenizer.encode(text, Tokenizer::kNoLimit, false, ids), "truncated without a limit");
    expect(tokenizer.count(text, false) == ids.size(), "count() differs from encode()");
    const size_t limit = limit_seed % (ids.size() + 2);
    expect(tokenizer.encode(text, limit, false, cut) == (ids.size() > limit), "truncated is wrong");
    ids.resize(std::min(limit, ids.size()));
    expect(cut == ids, "the limited ids are not the beginning of all ids");

    ids.clear();
    tokenizer.encode(text, Tokenizer::kNoLimit, false, ids);
    // An added token with U+FFFD in it does not match malformed bytes, but does in the reference, which
    // decodes first.
    const bool comparable = std::none_of(
        config.added_tokens.begin(), config.added_tokens.end(),
        [](const AddedToken& token) { return token.content.find("\xEF\xBF\xBD") != std::string::npos; });
    if (!comparable) return 0;
    const std::vector<int32_t> expected = ReferenceTokenizer(config).ids(text);
    if (ids != expected) {
      const auto print = [](const char* what, const std::vector<int32_t>& values) {
        std::cerr << what;
        for (const int32_t id : values) std::cerr << ' ' << id;
        std::cerr << '\n';
      };
      print("actual:  ", ids);
      print("expected:", expected);
      expect(false, "the ids differ from the reference's");
    }
  } catch (const Error& error) {
    expect(error.code == ErrorCode::kTokenizerInvalid || error.code == ErrorCode::kTokenizerUnsupported,
           "an unexpected error");
  }

  std::string storage;
  utf8_of_latin1(text, storage);
  std::u16string units(text.size() / 2, u'\0');
  for (size_t i = 0; i < units.size(); ++i)
    units[i] =
        static_cast<char16_t>(static_cast<uint8_t>(text[2 * i]) | static_cast<uint8_t>(text[2 * i + 1]) << 8);
  utf8_of_utf16(units, storage);
  return 0;
}
