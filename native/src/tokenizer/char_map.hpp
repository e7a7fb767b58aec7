// The Precompiled normalizer: SentencePiece's character map, a double array of what is replaced and by what.
//
// It is looked up as Hugging Face tokenizers does it: of a grapheme cluster of less than six bytes, and else
// of each character, the shortest beginning that the map has decides, and what it stands for replaces all of
// the cluster or character.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gteway {

class CharMap {
 public:
  // `bytes`: the size of the double array, itself, the replacements with a zero byte behind each. Throws
  // Error{kTokenizerInvalid} where that is not what they are.
  explicit CharMap(std::string_view bytes);

  // Whether nothing of `text` is replaced; only looks at ASCII.
  bool surely_leaves(std::string_view text) const noexcept;

  void append(std::string_view text, std::string& out) const;

  // Whether the space and every printable ASCII character stays what it is.
  bool leaves_printable() const noexcept {
    return std::all_of(ascii_kept_.begin() + ' ', ascii_kept_.begin() + 0x7F, [](bool kept) { return kept; });
  }

 private:
  std::optional<std::string_view> replacement(std::string_view chunk) const noexcept;

  std::vector<uint32_t> units_;
  std::string replacements_;
  std::array<bool, 128> ascii_kept_{};
};

}  // namespace gteway
