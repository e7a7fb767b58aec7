// A file of a test, gone at its end.
#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

namespace gteway::test {

class TemporaryFile {
 public:
  TemporaryFile(const std::string& ending, std::string_view content) {
    static int count = 0;
    // Tests run beside each other, in processes whose addresses may be the same.
    static const auto process = std::to_string(std::random_device{}());
    const auto unique = process + "-" + std::to_string(++count);
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
