// Random configurations and texts that lean towards what breaks tokenizers. Seeded: a failure repeats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway::test {

class RandomText {
 public:
  explicit RandomText(uint64_t seed) : random_(seed) {}

  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <class T>
  const T& of(const std::vector<T>& values) {
    return values[below(values.size())];
  }

  // Few different letters, so that words meet the vocabulary; and every kind of character the stages care
  // about.
  char32_t point() {
    static const std::u32string letters = U"aaabbbcdeABCE012";
    static const std::u32string ascii = U" \t\n\r\v\f.,!?#[]<>$+^`|~'\"-_@";
    // Accents, precomposed and not; marks that are reordered and kept, and kept but not reordered; Hangul;
    // characters whose lower case is longer; canonical singletons; white space beyond ASCII; Chinese,
    // compatibility ideographs.
    static const std::u32string special =
        U"éÀÅñçÿİßẞΣςΩÅK\u0301\u0327\u0323\u0334\u0345\u034F\u302E\u302F\U0001D165\U0001D16D\u0903\u093C"
        U"\u0DDD가각힣"
        U"ᄀ\u00A0\u2003\u2028\u3000\u0085\u200B\u200D\uFEFF\u00AD\uE000\uFFFD\u0378中文字㐀豈\U00020000"
        U"\U0002F800，。「·§¡≠≮"
        U"´\u1FEF\u037E\u212B\u0130ǅŉǰ\U00010400\U0001F600👩\U0001E900\u0000\u0001\u007F\u0080\u001F";
    switch (below(10)) {
      case 0:
        return of_string(ascii);
      case 1:
        return of_string(special);
      case 2: {
        const auto any = static_cast<char32_t>(below(chance(50) ? 0x3000 : 0x110000));
        return any >= 0xD800 && any <= 0xDFFF ? U'a' : any;
      }
      case 3:
        return U' ';
      default:
        return of_string(letters);
    }
  }

  std::string word(size_t points) {
    std::string result;
    for (size_t i = 0; i < points; ++i) utf8::append(result, point());
    return result;
  }

  // A whole text: words, long words, runs of one character, added tokens glued to words, malformed bytes.
  std::string text(const TokenizerConfig& config) {
    std::string result;
    const size_t parts = below(chance(5) ? 400 : 20);
    for (size_t i = 0; i < parts; ++i) {
      switch (below(12)) {
        case 0:
          if (!config.added_tokens.empty()) result += of(config.added_tokens).content;
          break;
        case 1: {
          static const std::vector<size_t> lengths = {1,  7,   8,   9,   15,  16,  17,   63,   64,   65,
                                                      99, 100, 101, 255, 256, 257, 2047, 2048, 2049, 5000};
          const size_t length = of(lengths);
          std::string unit;
          utf8::append(unit, point());
          for (size_t k = 0; k < length; ++k) result += unit;
          break;
        }
        case 2:
          result.push_back(static_cast<char>(chance(50) ? 0x80 + below(128) : below(128)));
          break;
        case 3:
          result += word(chance(10) ? 90 + below(30) : 1 + below(40));
          break;
        case 4:
          result += of(config.vocabulary_tokens);
          break;
        case 5: {
          std::string part = of(config.vocabulary_tokens);
          if (part.starts_with(config.continuing_subword_prefix))
            part.erase(0, config.continuing_subword_prefix.size());
          result += part;
          break;
        }
        case 6:
          result += ' ';
          break;
        default:
          result += word(1 + below(8));
      }
    }
    return result;
  }

  TokenizerConfig config() {
    TokenizerConfig config;
    config.clean_text = chance(70);
    config.handle_chinese_chars = chance(70);
    config.strip_accents = chance(60);
    config.lowercase = chance(60);
    static const std::vector<std::string> prefixes = {"##", "##", "##", "", "a", "@@@", "é"};
    config.continuing_subword_prefix = of(prefixes);
    static const std::vector<std::string> unks = {"[UNK]", "a", "<unk>"};
    config.unk_token = of(unks);
    static const std::vector<uint32_t> limits = {100, 100, 100, 0, 1, 3, 16, 64, 5000, 1u << 30};
    config.max_input_chars_per_word = of(limits);
    const size_t tokens = 1 + below(chance(20) ? 2000 : 60);
    for (size_t i = 0; i < tokens; ++i) {
      std::string token = chance(50) ? config.continuing_subword_prefix : "";
      const size_t points = 1 + below(chance(5) ? 120 : chance(30) ? 8 : 3);
      for (size_t k = 0; k < points; ++k)
        utf8::append(token, chance(70) ? U'a' + static_cast<char32_t>(below(4)) : point());
      config.vocabulary_tokens.push_back(token);
      // Holes, and the same id twice.
      config.vocabulary_ids.push_back(static_cast<int32_t>(chance(10) ? below(tokens) : i * 3));
    }
    if (chance(10))
      config.vocabulary_tokens.push_back(config.vocabulary_tokens[0]), config.vocabulary_ids.push_back(7);
    config.vocabulary_tokens.push_back(config.unk_token);
    config.vocabulary_ids.push_back(static_cast<int32_t>(tokens * 3));
    static const std::vector<std::string> contents = {
        "[MASK]", "[MASKED]", "[",    "ab",  "Ab", "a b", " a",   "  ",           "é",
        "É",      "中",       "中文", "<x>", "\n", "cab", "ABBA", "\xE2\x84\xAB", "x\xCC\x81"};
    const size_t added = chance(40) ? 0 : below(6);
    for (size_t i = 0; i < added; ++i) {
      config.added_tokens.push_back({of(contents), static_cast<int32_t>(100000 + i), chance(30), chance(30),
                                     chance(30), chance(30), chance(50)});
    }
    return config;
  }

 private:
  char32_t of_string(const std::u32string& points) { return points[below(points.size())]; }

  std::mt19937_64 random_;
};

}  // namespace gteway::test
