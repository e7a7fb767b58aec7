// NFC, NFD, NFKC and NFKD: The Unicode Standard, section 3.11.
#pragma once

#include <string>
#include <string_view>

namespace gteway {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// Whether `text` is known to be in the form without looking any closer. ASCII always is.
bool surely_in_form(std::string_view text, NormalForm form) noexcept;

// Appends `text` in the form to `out`; malformed bytes become U+FFFD.
void append_in_form(std::string_view text, NormalForm form, std::string& out);

}  // namespace gteway
