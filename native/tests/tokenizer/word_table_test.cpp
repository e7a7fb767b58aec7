#include "tokenizer/word_table.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "test.hpp"

using namespace gteway;

static int32_t find(const WordTable& table, std::string_view word) { return table.find(WordKey::of(word)); }

TEST("word table: finds its words, and neither beginnings nor continuations of them") {
  // Many small tables: where words share a slot by chance, only the comparison tells them apart.
  int complete = 0;
  for (int seed = 0; seed < 2000; ++seed) {
    std::vector<std::string> words;
    for (int i = 0; i < 14; ++i) {
      std::string word(1 + static_cast<size_t>((seed * 7 + i * 5) % 16),
                       static_cast<char>('a' + (seed + i) % 26));
      if (i % 2 == 0) word.back() = 'Y';
      words.push_back(word);
    }
    std::vector<WordTable::Entry> entries;
    for (size_t i = 0; i < words.size(); ++i) entries.push_back({words[i], static_cast<int32_t>(i)});
    const WordTable table(entries);
    complete += table.complete();
    for (const std::string& word : words) {
      const auto first = std::find(words.begin(), words.end(), word) - words.begin();
      const int32_t id = find(table, word);
      CHECK(id == static_cast<int32_t>(first) || (id == -1 && !table.complete()));
      for (size_t length = 1; length <= 16; ++length) {
        std::string other = word.substr(0, length);
        other.resize(length, 'Y');
        if (std::find(words.begin(), words.end(), other) == words.end()) CHECK_EQ(find(table, other), -1);
      }
    }
    CHECK_EQ(table.find(WordKey{}), -1);
  }
  CHECK(complete > 1000);
}

TEST("word table: the eight bytes that begin a longer word are not that word") {
  for (int letter = 1; letter < 128; ++letter) {
    const std::string longer(9, static_cast<char>(letter)), shorter(8, static_cast<char>(letter));
    const std::vector<WordTable::Entry> entries = {{longer, 3}};
    const WordTable table(entries);
    CHECK_EQ(find(table, longer), 3);
    CHECK_EQ(find(table, shorter), -1);
  }
}

TEST("word table: ids up to the largest, an empty table, a large one") {
  const std::vector<WordTable::Entry> largest = {{"a", INT32_MAX}, {"abcdefghijkl", INT32_MAX}, {"b", 0}};
  const WordTable table(largest);
  CHECK_EQ(find(table, "a"), INT32_MAX);
  CHECK_EQ(find(table, "abcdefghijkl"), INT32_MAX);
  CHECK_EQ(find(table, "b"), 0);
  CHECK_EQ(find(WordTable({}), "a"), -1);
  std::vector<std::string> words;
  for (int i = 0; i < 100'000; ++i) words.push_back("w" + std::to_string(i * 7919));
  std::vector<WordTable::Entry> entries;
  for (size_t i = 0; i < words.size(); ++i) entries.push_back({words[i], static_cast<int32_t>(i)});
  const WordTable large(entries);
  size_t found = 0;
  for (size_t i = 0; i < words.size(); ++i) found += find(large, words[i]) == static_cast<int32_t>(i);
  CHECK(large.complete() ? found == words.size() : found > words.size() * 9 / 10);
}
