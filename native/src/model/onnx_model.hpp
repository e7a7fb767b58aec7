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

#include "base/mapped_file.hpp"

namespace gteway {

// TensorProto.DataType: the ones that are told apart here.
enum class OnnxType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kBfloat16 = 16,
};

struct OnnxTensor {
  std::string_view name;
  OnnxType type = OnnxType::kUndefined;
  std::vector<int64_t> dims;  // none negative
  size_t elements = 0;
  // The elements, little endian, end to end; null where they are elsewhere (`reason`).
  const std::byte* data = nullptr;
  std::string reason;
};

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
  std::shared_ptr<const void> file;  // what names and tensors point into
  int64_t opset = 0;                 // of the default domain
  std::vector<OnnxNode> nodes;
  std::unordered_map<std::string_view, OnnxTensor> initializers;
  std::vector<OnnxPort> inputs;  // initializers that are listed as inputs, too
  std::vector<OnnxPort> outputs;
};

// Throws Error{kModelInvalid} beginning with the path.
OnnxModel read_onnx(const std::string& path);

// The same for bytes in memory, which `owner` keeps; `path` is for messages.
OnnxModel parse_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                     const std::string& path);

}  // namespace gteway
