// The regular expressions that byte-level tokenizers split text with, written out by hand: GPT-2's (also of
// RoBERTa, NeoX and ModernBERT), cl100k's (Llama 3, …) and Qwen's.
#pragma once

#include <cstddef>
#include <string_view>

#include "tokenizer/tokenizer.hpp"

namespace gteway {

// Where the match ends that begins at text[at], at < text.size(). There always is one.
size_t regex_word_end(WordRegex regex, std::string_view text, size_t at) noexcept;

}  // namespace gteway
