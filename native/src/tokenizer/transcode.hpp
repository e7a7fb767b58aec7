// JavaScript's strings to UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gteway {

// ISO 8859-1, the form of strings without a character above U+00FF, as UTF-8: `text` itself where it is
// ASCII, otherwise put into `storage`.
std::string_view utf8_of_latin1(std::string_view text, std::string& storage);

// UTF-16 as UTF-8, put into `storage`. A lone surrogate becomes U+FFFD.
std::string_view utf8_of_utf16(std::u16string_view text, std::string& storage);

}  // namespace gteway
