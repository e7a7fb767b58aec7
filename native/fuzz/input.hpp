// Takes a fuzzer's input apart.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file.hpp"

namespace gteway::fuzz {

// From its front; what is missing reads as zeros.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : left_(reinterpret_cast<const char*>(data), size) {}
  bool empty() const { return left_.empty(); }
  uint8_t byte() {
    if (left_.empty()) return 0;
    const auto value = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return value;
  }
  uint32_t word() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value |= static_cast<uint32_t>(byte()) << (8 * i);
    return value;
  }
  std::string bytes(size_t count) {
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(taken.size());
    return std::string(taken);
  }
  std::string_view rest() const { return left_; }

 private:
  std::string_view left_;
};

inline void expect(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "fuzz: " << what << '\n';
  std::abort();
}

// A file in memory of its own, so that a read beyond its end is seen. Where it claims to be, nothing is: the
// fuzzer opens no external data.
inline std::shared_ptr<const File> file_of(std::string_view content, const char* name) {
  const auto kept = std::make_shared<const std::string>(content);
  return File::of_bytes(std::as_bytes(std::span(*kept)), kept, std::string("/nonexistent/") + name);
}

}  // namespace gteway::fuzz
