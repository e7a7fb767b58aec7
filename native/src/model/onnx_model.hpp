// An ONNX file as plain data: nodes, constants, inputs and outputs. Knows the format, and no operator.
// Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.hpp"
#include "model/onnx_tensor.hpp"

namespace gteway {

struct OnnxAttribute {
  std::string_view name;
  bool has_graph = false;
  std::optional<int64_t> integer;
  std::optional<float> number;
  std::optional<std::string_view> text;
  std::vector<int64_t> integers;
  std::optional<OnnxTensor> tensor;
};

struct OnnxNode {
  std::string_view name;
  std::string_view op;
  std::string_view domain;
  std::vector<std::string_view> inputs;  // an empty name: an optional input that is absent
  std::vector<std::string_view> outputs;
  std::vector<OnnxAttribute> attributes;

  const OnnxAttribute* attribute(std::string_view wanted) const noexcept;
};

// A graph's input or output.
struct OnnxPort {
  std::string_view name;
  OnnxType type = OnnxType::kUndefined;
  bool has_shape = false;
  std::vector<std::optional<int64_t>> dims;  // nothing: free
};

struct OnnxModel {
  std::vector<std::shared_ptr<const File>> files;  // the file, and those of its external data
  std::shared_ptr<const void> memory;              // what names and small tensors point into
  int64_t opset = 0;                               // of the default domain
  std::vector<OnnxNode> nodes;
  std::unordered_map<std::string_view, OnnxTensor> initializers;
  std::vector<OnnxPort> inputs;  // initializers that are listed as inputs, too
  std::vector<OnnxPort> outputs;
};

// Reads the graph, and leaves the elements of tensors in their files. Throws Error beginning with the path:
// kModelInvalid, and kModelUnsupported for a graph beyond GraphBudget.
OnnxModel read_onnx(std::shared_ptr<const File> file);

// The paths of the external data that an ONNX file names and that can be opened: what is loaded is as much
// theirs as the file's. Nothing where the file cannot be read; loading it says why.
std::vector<std::string> external_data_paths(const std::string& path);

// The same for bytes in memory, which `owner` keeps; `path` is for messages.
OnnxModel parse_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                     const std::string& path);

}  // namespace gteway
