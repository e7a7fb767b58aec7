// A file of a test, gone at its end.
#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace gteway::test {

class TemporaryFile {
 public:
  TemporaryFile(const std::string& ending, std::string_view content) {
    static int count = 0;
    const auto unique = std::to_string(reinterpret_cast<uintptr_t>(this)) + "-" + std::to_string(++count);
    path_ = std::filesystem::temp_directory_path() / ("gteway-test-" + unique + ending);
    std::ofstream(path_, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace gteway::test
