// Names out of files, as messages show them.
#pragma once

#include <string>
#include <string_view>

namespace gteway {

// 'name', cut where it is longer than any name a person would recognise: files may hold names of megabytes.
inline std::string in_quotes(std::string_view name) {
  constexpr size_t kLongest = 120;
  std::string text = "'";
  text += name.substr(0, kLongest);
  text += name.size() > kLongest ? "…'" : "'";
  return text;
}

}  // namespace gteway
