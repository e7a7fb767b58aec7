#include "tokenizer/pretokenizer.hpp"

#include <string>

#include "kernels/kernel_case.hpp"
#include "tokenizer/normalizer.hpp"

using namespace gteway;

KERNEL_TEST("classify_text agrees with what the tokenizer's Unicode tables say of each byte") {
  for (const bool clean : {false, true}) {
    for (const bool lowercase : {false, true}) {
      const ByteKinds kinds({clean, false, false, lowercase});
      for (int byte = 0; byte < 256; ++byte) {
        const std::string text(64, static_cast<char>(byte));
        char folded[64];
        uint64_t in_word = 0, punctuation = 0, other = 0;
        kernels.classify_text(
            text.data(), 1,
            (lowercase ? gteway::kernels::kFoldCase : 0u) | (clean ? 0u : gteway::kernels::kKeepControls),
            folded, &in_word, &punctuation, &other);
        const ByteKind kind = kinds[text[0]];
        CHECK_EQ(in_word, kinds.in_word(text[0]) ? ~uint64_t{0} : 0);
        CHECK_EQ(punctuation, kind == ByteKind::kPunctuation ? ~uint64_t{0} : 0);
        CHECK_EQ(other, kind == ByteKind::kOther ? ~uint64_t{0} : 0);
        CHECK_EQ(folded[63], kinds.folded(text[0]));
      }
    }
  }
}
