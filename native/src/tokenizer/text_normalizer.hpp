// Stage one where it is not BertNormalizer alone: the steps of a normalizer, each over the whole of a text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/char_map.hpp"
#include "tokenizer/tokenizer.hpp"

namespace gteway {

class TextNormalizer {
 public:
  explicit TextNormalizer(const std::vector<NormalizerStep>& steps);
  ~TextNormalizer();

  // `text`, or where a step changes it what it becomes, kept in `storage`. Valid UTF-8 in and out. `at_start`
  // is made false where the beginning of the text is removed.
  std::string_view normalize(std::string_view text, std::string& storage, bool& at_start) const;

  // Whether a text may be cut in front of a space that follows another ASCII character, and its parts be
  // normalized on their own: the space stays, and no step looks across it.
  bool parts_before_spaces() const noexcept { return parts_before_spaces_; }

 private:
  struct Step;
  std::vector<Step> steps_;
  bool parts_before_spaces_ = true;
};

}  // namespace gteway
