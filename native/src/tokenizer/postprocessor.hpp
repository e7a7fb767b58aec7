// Stage four: the special tokens around the text's ids, and the cut at a limit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/tokenizer.hpp"

namespace gteway {

// Takes the text's ids as they are found, in portions; counts them, and keeps them unless only the count is
// wanted.
class IdOutput {
 public:
  // At most `room` ids are taken, and none that is `left_out`. `kept` may be null.
  IdOutput(std::vector<int32_t>* kept, size_t room, int32_t left_out = -1) noexcept
      : kept_(kept), room_(room), left_out_(left_out) {}

  // False once an id found no room: no more are wanted.
  bool take(const int32_t* ids, size_t count) {
    if (left_out_ < 0) return take_all(ids, count);
    const int32_t* const end = ids + count;
    while (ids != end && !overflowed_) {
      ids = std::find_if(ids, end, [this](int32_t id) { return id != left_out_; });
      const int32_t* const next = std::find(ids, end, left_out_);
      take_all(ids, static_cast<size_t>(next - ids));
      ids = next;
    }
    return !overflowed_;
  }

  size_t room_left() const noexcept { return room_ - taken_; }
  size_t taken() const noexcept { return taken_; }
  bool overflowed() const noexcept { return overflowed_; }

 private:
  bool take_all(const int32_t* ids, size_t count) {
    const size_t taken = std::min(count, room_ - taken_);
    if (kept_ != nullptr) kept_->insert(kept_->end(), ids, ids + taken);
    taken_ += taken;
    overflowed_ |= taken < count;
    return !overflowed_;
  }

  std::vector<int32_t>* kept_;
  size_t room_, taken_ = 0;
  int32_t left_out_;
  bool overflowed_ = false;
};

struct PostProcessor {
  std::vector<int32_t> prefix_ids, suffix_ids;
  std::vector<TemplatePiece> pair;  // both texts once, the first first; or none at all

  size_t added() const noexcept { return prefix_ids.size() + suffix_ids.size(); }
  size_t added_to_pair() const noexcept { return pair.empty() ? 0 : pair.size() - 2; }
};

}  // namespace gteway
