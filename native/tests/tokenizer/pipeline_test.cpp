// BPE against what its definition reads like, and portions of a text against the whole. What each step does
// is held to Hugging Face's ids in tests/tokenizer/stages.test.ts.
#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "test.hpp"
#include "tokenizer/random_text.hpp"
#include "tokenizer/tokenizer.hpp"

using namespace gteway;
using gteway::test::RandomText;

static PreTokenizerStep step_of(PreTokenizerStep::Kind kind) {
  PreTokenizerStep step{};
  step.kind = kind;
  return step;
}

static std::vector<int32_t> ids_of(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, Tokenizer::kNoLimit, false, ids);
  return ids;
}

// Words of few letters, some of them very long.
static std::string letters(RandomText& random, size_t most) {
  std::string word;
  for (size_t count = 1 + random.below(most); count > 0; --count)
    word.push_back(static_cast<char>('a' + random.below(random.chance(5) ? 5 : 3)));
  return word;
}

static std::vector<std::string> random_words(RandomText& random) {
  std::vector<std::string> words;
  for (size_t count = random.below(30); count > 0; --count)
    words.push_back(letters(random, random.chance(5) ? 400 : 12));
  return words;
}

static std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += ' ' + word;
  return text;
}

TEST(
    "tokenizer: BPE merges the rule learned first, and of equal ones the first place, in words of any "
    "length") {
  for (uint64_t seed = 0; seed < 150; ++seed) {
    RandomText random(9100 + seed);
    TokenizerConfig config;
    config.bert = false;
    config.model = ModelKind::kBpe;
    config.pre_tokenizers = {step_of(PreTokenizerStep::Kind::kWhitespaceSplit)};
    // Without d and e now and then: they are left out.
    config.vocabulary_tokens = {"a", "b", "c"};
    if (random.chance(50)) config.vocabulary_tokens.push_back("d");
    std::vector<std::pair<size_t, size_t>> rules;
    std::map<std::pair<size_t, size_t>, size_t> rank;
    for (int i = 0; i < 40; ++i) {
      const size_t left = random.below(config.vocabulary_tokens.size()),
                   right = random.below(config.vocabulary_tokens.size());
      const std::string both = config.vocabulary_tokens[left] + config.vocabulary_tokens[right];
      if (both.size() > 24 || rank.contains({left, right})) continue;
      auto found = std::find(config.vocabulary_tokens.begin(), config.vocabulary_tokens.end(), both);
      if (found == config.vocabulary_tokens.end()) {
        config.vocabulary_tokens.push_back(both);
        found = config.vocabulary_tokens.end() - 1;
      }
      rank[{left, right}] = rules.size();
      rules.push_back({left, right});
      config.merges.insert(config.merges.end(),
                           {static_cast<int32_t>(left), static_cast<int32_t>(right),
                            static_cast<int32_t>(found - config.vocabulary_tokens.begin())});
    }
    for (size_t i = 0; i < config.vocabulary_tokens.size(); ++i)
      config.vocabulary_ids.push_back(static_cast<int32_t>(i));
    const Tokenizer tokenizer(config);
    for (int round = 0; round < 10; ++round) {
      const std::vector<std::string> words = random_words(random);
      std::vector<int32_t> expected;
      for (const std::string& word : words) {
        std::vector<size_t> symbols;
        for (const char letter : word) {
          const auto found = std::find(config.vocabulary_tokens.begin(), config.vocabulary_tokens.end(),
                                       std::string(1, letter));
          if (found != config.vocabulary_tokens.end())
            symbols.push_back(static_cast<size_t>(found - config.vocabulary_tokens.begin()));
        }
        for (;;) {
          size_t best = rules.size(), at = 0;
          for (size_t i = 0; i + 1 < symbols.size(); ++i) {
            const auto found = rank.find({symbols[i], symbols[i + 1]});
            if (found != rank.end() && found->second < best) best = found->second, at = i;
          }
          if (best == rules.size()) break;
          symbols[at] = static_cast<size_t>(config.merges[best * 3 + 2]);
          symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(at) + 1);
        }
        for (const size_t symbol : symbols) expected.push_back(static_cast<int32_t>(symbol));
      }
      CHECK_EQ(ids_of(tokenizer, joined(words)), expected);
    }
  }
}

static TokenizerConfig byte_level_config(RandomText& random) {
  TokenizerConfig config;
  config.bert = false;
  config.model = ModelKind::kBpe;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool own = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    std::string letter;
    utf8::append(
        letter,
        own ? byte
            : 0x100 + static_cast<char32_t>(std::count_if(
                          config.vocabulary_tokens.begin(), config.vocabulary_tokens.end(),
                          [](const std::string& each) { return each.size() == 2 && each >= "\xC4\x80"; })));
    config.vocabulary_tokens.push_back(letter);
    config.vocabulary_ids.push_back(static_cast<int32_t>(byte));
  }
  PreTokenizerStep bytes = step_of(PreTokenizerStep::Kind::kByteLevel);
  bytes.use_regex = true;
  if (random.chance(50)) {
    bytes.use_regex = false;
    PreTokenizerStep regex = step_of(PreTokenizerStep::Kind::kRegex);
    regex.regex = random.chance(50) ? WordRegex::kCl100k : WordRegex::kQwen;
    config.pre_tokenizers.push_back(regex);
  }
  config.pre_tokenizers.push_back(bytes);
  config.byte_level = true;
  return config;
}

static TokenizerConfig metaspace_config(RandomText& random) {
  TokenizerConfig config;
  config.bert = false;
  config.model = ModelKind::kUnigram;
  config.vocabulary_tokens = {"<unk>",
                              "\xE2\x96\x81",
                              "a",
                              "b",
                              "\xE2\x96\x81"
                              "a",
                              "ab",
                              "e"};
  for (size_t i = 0; i < config.vocabulary_tokens.size(); ++i) {
    config.vocabulary_ids.push_back(static_cast<int32_t>(i));
    config.scores.push_back(-static_cast<double>(i));
  }
  config.unk_id = 0;
  PreTokenizerStep metaspace = step_of(PreTokenizerStep::Kind::kMetaspace);
  metaspace.text = "\xE2\x96\x81";
  metaspace.split = true;
  metaspace.prepend =
      random.chance(50) ? PreTokenizerStep::Prepend::kAlways : PreTokenizerStep::Prepend::kFirst;
  if (random.chance(50)) config.pre_tokenizers.push_back(step_of(PreTokenizerStep::Kind::kWhitespaceSplit));
  config.pre_tokenizers.push_back(metaspace);
  return config;
}

TEST("tokenizer: portions give the ids of the whole, malformed bytes and limits included") {
  using Kind = NormalizerStep::Kind;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    RandomText random(9900 + seed);
    TokenizerConfig config = random.chance(50) ? byte_level_config(random) : metaspace_config(random);
    for (const Kind kind : {Kind::kNfc, Kind::kNfkc, Kind::kNfd, Kind::kLowercase, Kind::kNmt,
                            Kind::kStripAccents, Kind::kBert}) {
      if (!random.chance(25)) continue;
      NormalizerStep step{};
      step.kind = kind;
      step.clean_text = step.handle_chinese_chars = random.chance(50);
      step.strip_accents = step.lowercase = random.chance(50);
      config.normalizers.push_back(step);
    }
    if (random.chance(50)) {
      config.added_tokens = random.config().added_tokens;
      // Of some of them normalization leaves nothing, which is refused.
      std::erase_if(config.added_tokens, [](const AddedToken& token) { return token.normalized; });
    }
    const Tokenizer tokenizer(config);
    // Strips nothing, and because it might nothing is cut.
    NormalizerStep strip{};
    strip.kind = Kind::kStrip;
    TokenizerConfig uncut = config;
    uncut.normalizers.push_back(strip);
    const Tokenizer whole(uncut);
    for (int round = 0; round < 12; ++round) {
      std::string text = random.text(config);
      while (random.chance(70))
        text += random.chance(50) ? random.text(config) : std::string(random.below(3000), ' ');
      const std::vector<int32_t> expected = ids_of(whole, text);
      CHECK_EQ(ids_of(tokenizer, text) == expected, true);
      CHECK_EQ(tokenizer.count(text, false), expected.size());
      const size_t limit = random.below(expected.size() + 2);
      std::vector<int32_t> cut;
      CHECK_EQ(tokenizer.encode(text, limit, false, cut), expected.size() > limit);
      CHECK(std::equal(cut.begin(), cut.end(), expected.begin(),
                       expected.begin() + static_cast<ptrdiff_t>(std::min(limit, expected.size()))));
    }
  }
}

TEST("tokenizer: what a model or a character map lacks is refused with the reason") {
  RandomText random(1);
  TokenizerConfig unigram = metaspace_config(random);
  unigram.unk_id = 7;
  CHECK_THROWS(Error, Tokenizer(unigram), "unk_id 7 is not in its vocabulary of 7");
  unigram.unk_id = 0;
  unigram.scores[1] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS(Error, Tokenizer(unigram), "is not a number");
  TokenizerConfig bpe = byte_level_config(random);
  bpe.unk_token = "<unk>";
  CHECK_THROWS(Error, Tokenizer(bpe), "unk_token \"<unk>\" is not in its vocabulary");
  TokenizerConfig map = metaspace_config(random);
  NormalizerStep precompiled{};
  precompiled.kind = NormalizerStep::Kind::kPrecompiled;
  precompiled.bytes = std::string("\xFF\0\0\0abc", 7);
  map.normalizers = {precompiled};
  CHECK_THROWS(Error, Tokenizer(map), "is not a character map");
}
