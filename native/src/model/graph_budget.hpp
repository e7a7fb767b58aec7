// What the graph of a model may take of memory and time before it is refused.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.hpp"

namespace gteway {

// The graph of gte-small, 12 layers and 1,244 nodes, takes one megabyte of these sixteen. A graph that takes
// more than there is may be sound: ONNX Runtime runs it.
class GraphBudget {
 public:
  static constexpr size_t kMostBytes = size_t{16} << 20;
  static constexpr size_t kMostFields = 4'000'000;

  // Both throw Error{kModelUnsupported} where there is none left.
  void take_bytes(size_t count) {
    if (count > bytes_left_) refuse("takes more than " + std::to_string(kMostBytes >> 20) + " MiB of memory");
    bytes_left_ -= count;
  }
  void take_field() {
    if (fields_left_ == 0) refuse("has more than " + std::to_string(kMostFields) + " fields");
    --fields_left_;
  }

 private:
  [[noreturn]] static void refuse(const std::string& reason) {
    throw Error(ErrorCode::kModelUnsupported, "its graph " + reason + ": no encoder's does");
  }

  size_t bytes_left_ = kMostBytes;
  size_t fields_left_ = kMostFields;
};

}  // namespace gteway
