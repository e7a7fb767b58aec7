// One embed() call as it comes to the native side, and what comes out of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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

// What the texts of a call are paired with where they are scored: each query once, however many texts it has.
struct Queries {
  TextBlock texts;           // empty: the call's texts are single ones
  std::vector<uint32_t> of;  // per text of the call its query; empty: the first, for all of them

  bool empty() const noexcept { return texts.size() == 0; }
  std::string_view of_text(size_t i) const noexcept { return texts.text(of.empty() ? 0 : of[i]); }
};

struct EmbedOptions {
  Pooling pooling = Pooling::kMean;
  bool normalize = true;
  bool truncate = true;      // false: a text over the limit is an error instead of being cut
  size_t max_tokens = 0;     // the limit, [CLS] and [SEP] counted
  size_t dimensions = 0;     // values of each row to keep, at most the engine's; normalised after the cut
                             // (rows of kScore never)
  bool wait = false;         // where the queue is full, wait for room instead of being refused
  bool item_errors = false;  // a text that fails is listed in Embedded::errors instead of failing the call
};

// Floats that each get written once, so they are not zeroed first, and the thread that allocates them does
// not pay for the pages.
class FloatBuffer {
 public:
  FloatBuffer() = default;
  explicit FloatBuffer(size_t size) : values_(std::make_unique_for_overwrite<float[]>(size)), size_(size) {}
  float* data() const noexcept { return values_.get(); }
  size_t size() const noexcept { return size_; }
  float operator[](size_t i) const noexcept { return values_[i]; }

 private:
  std::unique_ptr<float[]> values_;
  size_t size_ = 0;
};

struct ItemError {
  uint32_t text = 0;
  Error error;
};

struct Embedded {
  // [rows, options.dimensions]: one row per text in a single piece; with Pooling::kNone one per token, in a
  // piece for each text, since they are many and are copied once less so.
  std::vector<FloatBuffer> pieces;
  std::vector<uint32_t> tokens;    // per text: tokens that were embedded
  std::vector<uint8_t> truncated;  // per text: whether it was cut
  // Ascending, only with item_errors: zero tokens and a row of zeros (with kNone: no rows) for each.
  std::vector<ItemError> errors;

  size_t values() const noexcept {
    size_t count = 0;
    for (const FloatBuffer& piece : pieces) count += piece.size();
    return count;
  }
  // All values, end to end.
  void copy_to(float* out) const noexcept {
    for (const FloatBuffer& piece : pieces) out = std::copy_n(piece.data(), piece.size(), out);
  }
};

// Called exactly once, on a worker thread or on the thread that submits, cancels or closes. Either a result
// or an error is set. Must not throw: it is told of calls that failed for want of memory too.
using Completion = std::function<void(std::optional<Embedded> result, std::optional<Error> error)>;

struct Submission {
  uint64_t number = 0;  // the caller's name for it, higher than that of any call before; for cancel()
  TextBlock texts;
  Queries queries{};  // with Pooling::kScore
  EmbedOptions options;
  Completion done;
};

}  // namespace gteway
