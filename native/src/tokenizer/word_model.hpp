// Stage three, one interface for all kinds: the ids of one word.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace gteway {

class WordModel {
 public:
  virtual ~WordModel() = default;

  // Appends the ids of `word`, which is not empty. Safe from any number of threads.
  virtual void match(std::string_view word, std::vector<int32_t>& ids) const = 0;
};

}  // namespace gteway
