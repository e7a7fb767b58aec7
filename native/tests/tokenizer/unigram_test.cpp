// Unigram against its slow reference. Seeded: a failure repeats.
#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "test.hpp"
#include "tokenizer/random_text.hpp"
#include "tokenizer/reference_unigram.hpp"
#include "tokenizer/tokenizer.hpp"

using namespace gteway;
using gteway::test::RandomText;
using gteway::test::ReferenceUnigram;

namespace {

// Three to five letters, of one, two and three bytes.
std::vector<std::string> alphabet(RandomText& random) {
  std::vector<std::string> letters = {"a", "b", "c", "\xC3\xA9", "\xE4\xB8\xAD"};
  std::shuffle(letters.begin(), letters.end(), std::minstd_rand(static_cast<unsigned>(random.below(1000))));
  letters.resize(3 + random.below(3));
  return letters;
}

std::string spelled(RandomText& random, const std::vector<std::string>& letters, size_t most) {
  std::string word;
  for (size_t count = 1 + random.below(most); count > 0; --count) word += random.of(letters);
  return word;
}

TokenizerConfig config_of(RandomText& random, const std::vector<std::string>& letters) {
  TokenizerConfig config;
  config.bert = false;
  config.model = ModelKind::kUnigram;
  PreTokenizerStep words{};
  words.kind = PreTokenizerStep::Kind::kWhitespaceSplit;
  config.pre_tokenizers = {words};
  std::vector<std::string>& tokens = config.vocabulary_tokens;
  // Not all letters are pieces, and some pieces are there twice.
  for (const std::string& letter : letters)
    if (random.chance(70)) tokens.push_back(letter);
  for (size_t count = random.below(40); count > 0; --count) tokens.push_back(spelled(random, letters, 6));
  config.byte_fallback = random.chance(60);
  const unsigned bytes_there = random.chance(50) ? 100 : 80;
  for (unsigned byte = 0; byte < 256 && config.byte_fallback; ++byte) {
    char code[8];
    std::snprintf(code, sizeof code, "<0x%02X>", byte);
    if (random.chance(bytes_there)) tokens.push_back(code);
  }
  // The unknown token is one of its own, or a piece like the others.
  if (tokens.empty() || random.chance(80)) {
    config.unk_id = static_cast<int32_t>(random.below(tokens.size() + 1));
    tokens.insert(tokens.begin() + config.unk_id, "<unk>");
  } else {
    config.unk_id = static_cast<int32_t>(random.below(tokens.size()));
  }
  // Sums that are often equal, always, or never. Above 20 two unknown characters are better than a piece.
  const size_t kind = random.below(4);
  for (size_t i = 0; i < tokens.size(); ++i) {
    config.vocabulary_ids.push_back(static_cast<int32_t>(i));
    config.scores.push_back(kind == 0   ? -2
                            : kind == 1 ? -static_cast<double>(random.below(4))
                            : kind == 2 ? -static_cast<double>(random.below(1000000)) / 70000
                                        : 25 + static_cast<double>(random.below(20)));
  }
  return config;
}

}  // namespace

TEST("tokenizer: Unigram takes the best sum of scores, of equal ones the longest last piece") {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    RandomText random(9500 + seed);
    const std::vector<std::string> letters = alphabet(random);
    const TokenizerConfig config = config_of(random, letters);
    const Tokenizer tokenizer(config);
    const ReferenceUnigram reference(config);
    std::string text;
    std::vector<int32_t> expected;
    for (int count = 0; count < 60; ++count) {
      std::string word = spelled(random, letters, random.chance(4) ? 200 : 12);
      if (random.chance(4)) word += random.of(config.vocabulary_tokens) + spelled(random, letters, 3);
      text += ' ' + word;
      const std::vector<int32_t> ids = reference.ids(word);
      expected.insert(expected.end(), ids.begin(), ids.end());
    }
    std::vector<int32_t> actual;
    tokenizer.encode(text, Tokenizer::kNoLimit, false, actual);
    CHECK_EQ(actual, expected);
  }
}
