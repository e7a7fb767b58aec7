// The files beside an ONNX file that hold tensors of it:
// https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace gteway {

// Files are opened once each, by their path below the model's directory. Nothing outside of it is opened.
class ExternalData {
 public:
  // One descriptor each: half of what processes may usually open would be left for everything else.
  static constexpr size_t kMostFiles = 512;

  // `stop` is for reading them.
  ExternalData(const std::string& model_path, std::shared_ptr<const StopFlag> stop);

  // The file at `location`, or null with the `reason` why there is none.
  const File* open(const std::string& location, std::string& reason);

  // All that were opened.
  std::vector<std::shared_ptr<const File>> files() const;

 private:
  struct Entry {
    std::shared_ptr<const File> file;
    std::string reason;
  };
  Entry open_now(const std::string& location) const;

  const std::string model_path_;
  const std::shared_ptr<const StopFlag> stop_;
  std::map<std::string, Entry> entries_;
};

}  // namespace gteway
