#include "tokenizer/transcode.hpp"

#include <string>

#include "test.hpp"

using namespace gteway;

static std::string latin1(std::string_view text) {
  std::string storage;
  return std::string(utf8_of_latin1(text, storage));
}

static std::string utf16(std::u16string_view text) {
  std::string storage;
  return std::string(utf8_of_utf16(text, storage));
}

TEST("transcode: every character of ISO 8859-1, at every place around a block") {
  for (size_t place : {0u, 1u, 31u, 32u, 33u, 63u, 64u, 70u}) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text(71, 'a'), expected = text;
      text[place] = static_cast<char>(byte);
      const std::string character = byte < 0x80 ? std::string(1, static_cast<char>(byte))
                                                : std::string{static_cast<char>(0xC0 | byte >> 6),
                                                              static_cast<char>(0x80 | (byte & 0x3F))};
      expected.replace(place, 1, character);
      CHECK_EQ(latin1(text), expected);
    }
  }
  CHECK_EQ(latin1(""), "");
}

TEST("transcode: UTF-16 with pairs, and a lone surrogate as U+FFFD") {
  CHECK_EQ(utf16(u""), "");
  CHECK_EQ(utf16(u"abcdefghi"), "abcdefghi");
  CHECK_EQ(utf16(u"abc\u00E9defg\u4E2Dhijk\U0001F600l"),
           "abc\xC3\xA9"
           "defg\xE4\xB8\xADhijk\xF0\x9F\x98\x80l");
  const char16_t high = 0xD83D, low = 0xDE00;
  CHECK_EQ(utf16(std::u16string{high, low}), "\xF0\x9F\x98\x80");
  CHECK_EQ(utf16(std::u16string{low, high}), "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK_EQ(utf16(std::u16string{high}), "\xEF\xBF\xBD");
  CHECK_EQ(utf16(std::u16string{high, high, low}), "\xEF\xBF\xBD\xF0\x9F\x98\x80");
  CHECK_EQ(utf16(std::u16string{high, u'a'}),
           "\xEF\xBF\xBD"
           "a");
}
