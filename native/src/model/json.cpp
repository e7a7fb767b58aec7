#include "model/json.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "base/in_quotes.hpp"

namespace gteway {
namespace {

constexpr size_t kDeepest = 64;
// No double needs as many digits.
constexpr size_t kLongestNumber = 1000;

class Parser {
 public:
  Parser(std::string_view text, const std::string& what) : text_(text), what_(what) {}

  Json document() {
    if (text_.size() > kMostJsonBytes)
      fail("it has more than " + std::to_string(kMostJsonBytes >> 20) + " MiB");
    Json value = parse(0);
    skip_space();
    if (at_ != text_.size()) fail("something follows its value");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::kModelInvalid,
                what_ + " is not valid JSON: " + reason + " (byte " + std::to_string(at_) + ")");
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }

  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }

  void expect_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail("an unknown word");
    at_ += word.size();
  }

  Json parse(size_t depth) {
    if (depth > kDeepest) fail("it is nested too deeply");
    if (++values_ > kMostJsonValues) fail("it has more than " + std::to_string(kMostJsonValues) + " values");
    skip_space();
    Json value;
    switch (peek()) {
      case '{':
        parse_object(value, depth);
        break;
      case '[':
        parse_array(value, depth);
        break;
      case '"':
        value.kind = Json::Kind::kString;
        value.string = parse_string();
        break;
      case 't':
        expect_word("true");
        value.kind = Json::Kind::kBoolean;
        value.boolean = true;
        break;
      case 'f':
        expect_word("false");
        value.kind = Json::Kind::kBoolean;
        break;
      case 'n':
        expect_word("null");
        break;
      default:
        value.kind = Json::Kind::kNumber;
        value.number = parse_number();
    }
    return value;
  }

  void parse_object(Json& value, size_t depth) {
    value.kind = Json::Kind::kObject;
    expect('{');
    skip_space();
    if (take('}')) return;
    do {
      skip_space();
      std::string name = parse_string();
      skip_space();
      expect(':');
      value.fields.push_back({std::move(name), parse(depth + 1)});
      skip_space();
    } while (take(','));
    expect('}');
    refuse_repetition(value.fields);
  }

  void refuse_repetition(const std::vector<JsonField>& fields) const {
    std::vector<std::string_view> names;
    names.reserve(fields.size());
    for (const JsonField& field : fields) names.push_back(field.name);
    std::sort(names.begin(), names.end());
    const auto found = std::adjacent_find(names.begin(), names.end());
    if (found != names.end()) fail("the name " + in_quotes(*found) + " occurs twice");
  }

  void parse_array(Json& value, size_t depth) {
    value.kind = Json::Kind::kArray;
    expect('[');
    skip_space();
    if (take(']')) return;
    do {
      value.items.push_back(parse(depth + 1));
      skip_space();
    } while (take(','));
    expect(']');
  }

  double parse_number() {
    const size_t start = at_;
    take('-');
    if (!take('0')) take_digits();
    if (take('.')) take_digits();
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (!take('+')) take('-');
      take_digits();
    }
    if (at_ - start > kLongestNumber)
      fail("a number of more than " + std::to_string(kLongestNumber) + " characters");
    // A copy, so that the conversion ends with the number; Node sets no locale, so its decimal point is a
    // point.
    const std::string digits(text_.substr(start, at_ - start));
    return std::strtod(digits.c_str(), nullptr);
  }

  void take_digits() {
    if (peek() < '0' || peek() > '9') fail("an unexpected character");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  std::string parse_string() {
    expect('"');
    std::string out;
    for (;;) {
      const size_t end = std::min(text_.find_first_of("\"\\", at_), text_.size());
      const std::string_view plain = text_.substr(at_, end - at_);
      const bool has_control = std::any_of(plain.begin(), plain.end(),
                                           [](char c) { return static_cast<unsigned char>(c) < 0x20; });
      if (has_control) fail("a control character in a string");
      out += plain;
      at_ = end;
      if (take('"')) return out;
      if (!take('\\')) fail("a string has no end");
      append_escaped(out);
    }
  }

  void append_escaped(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    if (const size_t found = kNames.find(c); c != '\0' && found != std::string_view::npos) {
      out += kMeanings[found];
      return;
    }
    if (c != 'u') fail("an unknown escape");
    uint32_t code = parse_hex4();
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      const size_t before = at_;
      at_ += 2;
      const uint32_t low = parse_hex4();
      if (low >= 0xDC00 && low < 0xE000)
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      else
        at_ = before;
    }
    if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
    append_utf8(out, code);
  }

  uint32_t parse_hex4() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("an escape needs four hexadecimal digits");
      code = code * 16 + static_cast<uint32_t>(digit);
    }
    return code;
  }

  static void append_utf8(std::string& out, uint32_t code) {
    const auto add = [&](uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xC0 | (code >> 6));
      add(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      add(0xE0 | (code >> 12));
      add(0x80 | ((code >> 6) & 0x3F));
      add(0x80 | (code & 0x3F));
    } else {
      add(0xF0 | (code >> 18));
      add(0x80 | ((code >> 12) & 0x3F));
      add(0x80 | ((code >> 6) & 0x3F));
      add(0x80 | (code & 0x3F));
    }
  }

  std::string_view text_;
  const std::string& what_;
  size_t at_ = 0;
  size_t values_ = 0;
};

}  // namespace

const Json* Json::field(std::string_view name) const& noexcept {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& entry) { return entry.name == name; });
  return found == fields.end() ? nullptr : &found->value;
}

std::optional<size_t> Json::size() const noexcept {
  if (kind != Kind::kNumber || !(number >= 0 && number <= 0x1p53) || number != std::floor(number))
    return std::nullopt;
  return static_cast<size_t>(number);
}

Json parse_json(std::string_view text, const std::string& what) { return Parser(text, what).document(); }

}  // namespace gteway
