#include "tokenizer/tokenizer.hpp"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "test.hpp"
#include "tokenizer/random_text.hpp"
#include "tokenizer/reference_tokenizer.hpp"

using namespace gteway;
using gteway::test::RandomText;
using gteway::test::ReferenceTokenizer;

static TokenizerConfig small_config() {
  TokenizerConfig config;
  config.vocabulary_tokens = {"[UNK]",  "[CLS]", "[SEP]",  "[MASK]", "un", "##aff",
                              "##able", "run",   "##ning", ",",      "[",  "中"};
  for (int32_t id = 0; id < static_cast<int32_t>(config.vocabulary_tokens.size()); ++id)
    config.vocabulary_ids.push_back(id);
  config.unk_token = "[UNK]";
  config.continuing_subword_prefix = "##";
  config.prefix_ids = {1};
  config.suffix_ids = {2};
  config.added_tokens = {{"[MASK]", 3, false, false, false, false, true}};
  return config;
}

static std::vector<int32_t> ids_of(const Tokenizer& tokenizer, std::string_view text, bool special = false) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, Tokenizer::kNoLimit, special, ids);
  return ids;
}

TEST("tokenizer: words, pieces, punctuation, added tokens and special tokens") {
  const Tokenizer tokenizer(small_config());
  CHECK_EQ(ids_of(tokenizer, "", true), (std::vector<int32_t>{1, 2}));
  CHECK_EQ(ids_of(tokenizer, "Unaffable, running", true), (std::vector<int32_t>{1, 4, 5, 6, 9, 7, 8, 2}));
  CHECK_EQ(ids_of(tokenizer, "un[MASK]run[MASK"), (std::vector<int32_t>{4, 3, 7, 10, 0}));
  CHECK_EQ(ids_of(tokenizer, "中run中"), (std::vector<int32_t>{11, 7, 11}));
  CHECK_EQ(ids_of(tokenizer, "runn"), (std::vector<int32_t>{0}));
  CHECK_EQ(tokenizer.count("Unaffable, running", true), 8u);
  CHECK_EQ(std::string(tokenizer.token(5)), "##aff");
  CHECK_EQ(std::string(tokenizer.token(99)), "");
}

TEST("tokenizer: ids are appended, a cut keeps the suffix") {
  const Tokenizer tokenizer(small_config());
  std::vector<int32_t> ids = {77};
  CHECK(tokenizer.encode("run run run", 4, true, ids));
  CHECK_EQ(ids, (std::vector<int32_t>{77, 1, 7, 7, 2}));
  ids.clear();
  CHECK(!tokenizer.encode("run run", 4, true, ids));
  CHECK_EQ(ids, (std::vector<int32_t>{1, 7, 7, 2}));
  ids.clear();
  CHECK(tokenizer.encode("run", 1, true, ids));
  CHECK_EQ(ids, (std::vector<int32_t>{1}));
  ids.clear();
  CHECK(tokenizer.encode("unaffable", 2, false, ids));
  CHECK_EQ(ids, (std::vector<int32_t>{4, 5}));
}

TEST("tokenizer: pairs by the template, the second text cut first, ids and type ids appended") {
  TokenizerConfig config = small_config();
  CHECK(!Tokenizer(config).pairs());
  config.pair = {{1, 0}, {TemplatePiece::kFirstText, 0}, {2, 0}, {TemplatePiece::kSecondText, 1}, {2, 1}};
  const Tokenizer tokenizer(config);
  CHECK(tokenizer.pairs());
  CHECK_EQ(tokenizer.pair_tokens_added(), 3u);
  std::vector<int32_t> ids = {77}, types = {5, 6};
  CHECK(!tokenizer.encode_pair("run", "unaffable", Tokenizer::kNoLimit, true, ids, types));
  CHECK_EQ(ids, (std::vector<int32_t>{77, 1, 7, 2, 4, 5, 6, 2}));
  CHECK_EQ(types, (std::vector<int32_t>{5, 6, 0, 0, 0, 1, 1, 1, 1}));

  // Every limit: the first text has 3 tokens, the second 3, the template 3.
  for (size_t limit = 0; limit <= 10; ++limit) {
    ids.clear(), types.clear();
    CHECK_EQ(tokenizer.encode_pair("unaffable", "run,run", limit, true, ids, types), limit < 9);
    std::vector<int32_t> expected = {1}, expected_types = {0};
    const size_t room = limit - std::min<size_t>(limit, 3), first = std::min<size_t>(room, 3);
    for (size_t i = 0; i < first; ++i) expected.push_back(std::vector<int32_t>{4, 5, 6}[i]);
    expected.push_back(2);
    expected_types.resize(expected.size(), 0);
    for (size_t i = 0; i < std::min<size_t>(room - first, 3); ++i)
      expected.push_back(std::vector<int32_t>{7, 9, 7}[i]);
    expected.push_back(2);
    expected_types.resize(expected.size(), 1);
    expected.resize(std::min(limit, expected.size()));
    expected_types.resize(expected.size());
    CHECK_EQ(ids, expected);
    CHECK_EQ(types, expected_types);
  }
  ids.clear(), types.clear();
  CHECK(tokenizer.encode_pair("unaffable", "run", 3, false, ids, types));
  CHECK_EQ(ids, (std::vector<int32_t>{4, 5, 6}));
  CHECK_THROWS(Error, Tokenizer(small_config()).encode_pair("a", "b", 9, true, ids, types),
               "no template of pairs");
  std::swap(config.pair[1], config.pair[3]);
  CHECK_THROWS(Error, Tokenizer(config), "both texts once, the first first");
}

TEST("tokenizer: contradictory configurations are refused with the reason") {
  TokenizerConfig no_unk = small_config();
  no_unk.unk_token = "<unk>";
  CHECK_THROWS(Error, Tokenizer(no_unk), "unk_token \"<unk>\" is not in its vocabulary");
  TokenizerConfig uneven = small_config();
  uneven.vocabulary_ids.pop_back();
  CHECK_THROWS(Error, Tokenizer(uneven), "12 tokens and 11 ids");
  TokenizerConfig negative = small_config();
  negative.vocabulary_ids[4] = -1;
  CHECK_THROWS(Error, Tokenizer(negative), "negative id -1");
  TokenizerConfig bytes = small_config();
  bytes.vocabulary_tokens[4] = "\xFF";
  CHECK_THROWS(Error, Tokenizer(bytes), "is not UTF-8");
  TokenizerConfig vanishing = small_config();
  vanishing.added_tokens.push_back({"\xCC\x81", 50, false, false, false, true, false});
  CHECK_THROWS(Error, Tokenizer(vanishing), "nothing is left of");
}

TEST("tokenizer: malformed UTF-8 is read as U+FFFD, which clean_text removes") {
  const Tokenizer tokenizer(small_config());
  CHECK_EQ(ids_of(tokenizer, "ru\xFFn"), (std::vector<int32_t>{7}));
  CHECK_EQ(ids_of(tokenizer, "run\xE4\xB8"), (std::vector<int32_t>{7}));
  CHECK_EQ(ids_of(tokenizer, "\xF0\x9F\xE4\xB8\xAD"), (std::vector<int32_t>{11}));
}

TEST("tokenizer: random configurations and texts give the ids of the reference, limited, counted and not") {
  constexpr uint64_t kSeed = 20260820;
  size_t texts = 0;
  for (uint64_t round = 0; round < 400; ++round) {
    RandomText random(kSeed + round);
    const TokenizerConfig config = random.config();
    const ReferenceTokenizer reference(config);
    const Tokenizer tokenizer(config);
    for (int i = 0; i < 40; ++i, ++texts) {
      const std::string text = random.text(config);
      const std::vector<int32_t> expected = reference.ids(text), actual = ids_of(tokenizer, text);
      if (actual != expected) {
        CHECK_EQ(
            "seed " + std::to_string(kSeed + round) + " text " + std::to_string(i) + ' ' + test::show(actual),
            test::show(expected));
        return;
      }
      CHECK_EQ(tokenizer.count(text, false), expected.size());
      const size_t limit = random.below(expected.size() + 3);
      std::vector<int32_t> cut;
      CHECK_EQ(tokenizer.encode(text, limit, false, cut), expected.size() > limit);
      CHECK_EQ(cut, std::vector<int32_t>(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(std::min(
                                                                                  limit, expected.size()))));
    }
  }
  CHECK_EQ(texts, 16000u);
}

TEST("tokenizer: a text of megabytes gives the ids of the reference") {
  RandomText random(42);
  TokenizerConfig config = small_config();
  std::string text;
  while (text.size() < (size_t{2} << 20)) text += random.text(config);
  CHECK(ids_of(Tokenizer(config), text) == ReferenceTokenizer(config).ids(text));
}

TEST("tokenizer: one tokenizer serves many threads") {
  const TokenizerConfig config = small_config();
  const Tokenizer tokenizer(config);
  const ReferenceTokenizer reference(config);
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> expected;
  RandomText random(7);
  for (int i = 0; i < 50; ++i) {
    texts.push_back(random.text(config));
    expected.push_back(reference.ids(texts.back()));
  }
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < wrong.size(); ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 20; ++round)
        for (size_t i = 0; i < texts.size(); ++i) wrong[thread] += ids_of(tokenizer, texts[i]) != expected[i];
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong, std::vector<int>(4));
}
