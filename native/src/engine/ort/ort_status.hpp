// What an ONNX Runtime library is and which devices it can really use, for people: `gteway doctor`.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gteway::ort {

struct RuntimeStatus {
  std::string version;                 // "1.30.0"
  std::vector<std::string> providers;  // those it was built with, usable here or not
  std::optional<std::string> no_cuda;  // why CUDA device 0 cannot be used; none: it can
};

// Opens the library at `path` (absolute), as the first session would, and tries its CUDA provider. Throws
// Error{kRuntimeUnavailable} as open_library() does.
RuntimeStatus runtime_status(const std::string& path);

}  // namespace gteway::ort
