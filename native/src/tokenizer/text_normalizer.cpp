#include "tokenizer/text_normalizer.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "tokenizer/normal_forms.hpp"
#include "tokenizer/normalizer.hpp"
#include "tokenizer/simple_pattern.hpp"
#include "tokenizer/text_classes.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<signed char>(byte) >= 0; });
}

bool is_space(char32_t point) { return unicode::properties(point).flags & unicode::kWhitespace; }

// Calls each(char32_t) for the code points.
template <class Each>
void for_points(std::string_view text, Each&& each) {
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded next = utf8::decode(text, at);
    each(next.point);
    at += next.bytes;
  }
}

// nullopt: removed.
std::optional<char32_t> nmt(char32_t point) {
  if ((point >= 0x1 && point <= 0x8) || point == 0xB || (point >= 0xE && point <= 0x1F) || point == 0x7F ||
      point == 0x8F || point == 0x9F)
    return std::nullopt;
  if (point == 0x9 || point == 0xA || point == 0xC || point == 0xD || point == 0x1680 ||
      (point >= 0x200B && point <= 0x200F) || point == 0x2028 || point == 0x2029 || point == 0x2581 ||
      point == 0xFEFF || point == 0xFFFD)
    return U' ';
  return point;
}

}  // namespace

struct TextNormalizer::Step {
  using Kind = NormalizerStep::Kind;

  NormalizerStep config;
  Normalizer bert;
  std::shared_ptr<const CharMap> map;

  explicit Step(const NormalizerStep& step)
      : config(step),
        bert({step.clean_text, step.handle_chinese_chars, step.strip_accents, step.lowercase}),
        map(step.kind == Kind::kPrecompiled ? std::make_shared<const CharMap>(step.bytes) : nullptr) {}

  NormalForm form() const {
    switch (config.kind) {
      case Kind::kNfd:
        return NormalForm::kNfd;
      case Kind::kNfkc:
        return NormalForm::kNfkc;
      case Kind::kNfkd:
        return NormalForm::kNfkd;
      default:
        return NormalForm::kNfc;
    }
  }

  bool parts_before_spaces() const {
    switch (config.kind) {
      case Kind::kPrepend:
      case Kind::kStrip:
        return false;
      case Kind::kReplace:
        // Either white space that stays some, or other characters that stay others: what is a cut is one
        // before and behind, for this step and the next.
        return config.pattern.only_blanks()
                   ? config.text == " "
                   : config.pattern.no_blanks() && !config.text.empty() &&
                         config.text.find_first_of(" \t\n\v\f\r") == std::string::npos;
      case Kind::kPrecompiled:
        return map->leaves_printable();
      default:
        return true;
    }
  }

  // Whether nothing of `text` changes, as far as that is quickly told.
  bool surely_leaves(std::string_view text) const {
    switch (config.kind) {
      case Kind::kNfc:
      case Kind::kNfd:
      case Kind::kNfkc:
      case Kind::kNfkd:
        return surely_in_form(text, form());
      case Kind::kPrecompiled:
        return map->surely_leaves(text);
      case Kind::kStripAccents:
        return is_ascii(text);
      case Kind::kReplace:
        return find_pattern(config.pattern, text, 0).start == text.size();
      default:
        return false;
    }
  }

  // Appends to `out`, which is empty.
  void apply(std::string_view text, std::string& out, bool& at_start) const {
    switch (config.kind) {
      case Kind::kBert: {
        Normalizer::Marks marks;
        const auto append = [&](char32_t point, const unicode::Properties&) { utf8::append(out, point); };
        bert.feed(text, SIZE_MAX, marks, append);
        bert.finish(marks, append);
        if (!text.empty()) {
          std::string first;
          const auto append_first = [&](char32_t point, const unicode::Properties&) {
            utf8::append(first, point);
          };
          bert.feed(text.substr(0, utf8::decode(text, 0).bytes), SIZE_MAX, marks, append_first);
          bert.finish(marks, append_first);
          at_start &= !first.empty();
        }
        break;
      }
      case Kind::kNfc:
      case Kind::kNfd:
      case Kind::kNfkc:
      case Kind::kNfkd:
        append_in_form(text, form(), out);
        break;
      case Kind::kLowercase:
        for_points(text, [&](char32_t point) {
          unicode::lowercase(point, unicode::properties(point),
                             [&](char32_t lower) { utf8::append(out, lower); });
        });
        break;
      case Kind::kStripAccents:
        filter(text, out, at_start, [](char32_t point) {
          return unicode::text_classes(point) & unicode::kCombining ? std::nullopt : std::optional(point);
        });
        break;
      case Kind::kNmt:
        filter(text, out, at_start, nmt);
        break;
      case Kind::kReplace: {
        for (size_t at = 0; at < text.size();) {
          const Found found = find_pattern(config.pattern, text, at);
          out += text.substr(at, found.start - at);
          if (found.start < text.size()) out += config.text;
          at_start &= !(config.text.empty() && found.start == 0 && found.end > 0);
          at = found.end;
        }
        break;
      }
      case Kind::kPrepend:
        if (!text.empty()) out += config.text;
        out += text;
        break;
      case Kind::kStrip: {
        size_t begin = 0, end = text.size();
        while (config.strip_left && begin < end && is_space(utf8::decode(text, begin).point))
          begin += utf8::decode(text, begin).bytes;
        while (config.strip_right && begin < end && is_space(utf8::decode_before(text, end).point))
          end -= utf8::decode_before(text, end).bytes;
        at_start &= begin == 0;
        out += text.substr(begin, end - begin);
        break;
      }
      case Kind::kPrecompiled:
        map->append(text, out);
        break;
    }
  }

  template <class Map>
  static void filter(std::string_view text, std::string& out, bool& at_start, Map&& map) {
    bool first = true;
    for_points(text, [&](char32_t point) {
      const std::optional<char32_t> kept = map(point);
      if (kept) utf8::append(out, *kept);
      at_start &= !first || kept.has_value();
      first = false;
    });
  }
};

TextNormalizer::TextNormalizer(const std::vector<NormalizerStep>& steps) {
  for (const NormalizerStep& step : steps) {
    steps_.emplace_back(step);
    parts_before_spaces_ &= steps_.back().parts_before_spaces();
  }
}

TextNormalizer::~TextNormalizer() = default;

std::string_view TextNormalizer::normalize(std::string_view text, std::string& storage,
                                           bool& at_start) const {
  std::string result;
  for (const Step& step : steps_) {
    if (step.surely_leaves(text)) continue;
    result.clear();
    step.apply(text, result, at_start);
    std::swap(storage, result);
    text = storage;
  }
  return text;
}

}  // namespace gteway
