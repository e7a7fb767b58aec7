// One embed() call on its way through the native side, and what comes out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "engine/batch.hpp"

namespace gteway {

// Texts end to end in one allocation, as they were copied from JavaScript. UTF-8.
struct TextBlock {
  std::vector<char> bytes;
  std::vector<size_t> ends;  // text i is bytes[ends[i - 1], ends[i]), with ends[-1] = 0

  size_t size() const noexcept { return ends.size(); }
  std::string_view text(size_t i) const noexcept {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return {bytes.data() + begin, ends[i] - begin};
  }
};

struct EmbedOptions {
  Pooling pooling = Pooling::kMean;
  bool normalize = true;
  bool truncate = true;   // false: a text over the limit is an error instead of being cut
  size_t max_tokens = 0;  // the limit, [CLS] and [SEP] counted
  size_t dimensions =
      0;  // how many values of each row to keep, at most the engine's; rows are normalised after the cut
};

struct Embedded {
  std::vector<float>
      data;  // [rows, options.dimensions]; rows: one per text, or one per token with Pooling::kNone
  std::vector<uint32_t> tokens;    // per text: tokens that were embedded
  std::vector<uint8_t> truncated;  // per text: whether it was cut
};

// Called exactly once, on a worker thread or on the thread that cancels or closes. Either a result or an
// error is set.
using Completion = std::function<void(std::optional<Embedded> result, std::optional<Error> error)>;

struct Submission {
  uint64_t number = 0;  // the caller's name for it, unique within the scheduler; for cancel()
  TextBlock texts;
  EmbedOptions options;
  Completion done;
};

}  // namespace gteway
