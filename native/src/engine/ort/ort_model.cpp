#include "engine/ort/ort_model.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "model/token_rows.hpp"

namespace gteway::ort {
namespace {

struct Port {
  std::string name;
  int element_type = 0;        // 0: not a tensor
  std::vector<int64_t> shape;  // -1 for a free dimension
};

[[noreturn]] void unsupported(const std::string& message) {
  throw Error(ErrorCode::kModelUnsupported, message);
}

std::string take_string(OrtAllocator* allocator, char* text) {
  std::string copy = text;
  check(api().AllocatorFree(allocator, text), ErrorCode::kInternal, "free a name");
  return copy;
}

using GetName = OrtStatus* (*)(const OrtSession*, size_t, OrtAllocator*, char**);
using GetTypeInfo = OrtStatus* (*)(const OrtSession*, size_t, OrtTypeInfo**);

Port read_port(const OrtSession* session, size_t index, GetName get_name, GetTypeInfo get_type) {
  constexpr ErrorCode kCode = ErrorCode::kModelInvalid;
  OrtAllocator* allocator = nullptr;  // the process-wide default, not ours to release
  check(api().GetAllocatorWithDefaultOptions(&allocator), ErrorCode::kInternal, "get the default allocator");
  Port port;
  char* name = nullptr;
  check(get_name(session, index, allocator, &name), kCode, "read a name in the model");
  port.name = take_string(allocator, name);

  OrtTypeInfo* raw_info = nullptr;
  check(get_type(session, index, &raw_info), kCode, "read the type of '" + port.name + "'");
  const TypeInfoPtr info(raw_info);
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // lives inside `info`
  check(api().CastTypeInfoToTensorInfo(info.get(), &tensor), kCode, "read the type of '" + port.name + "'");
  if (tensor == nullptr) return port;
  check(api().GetTensorElementType(tensor, &port.element_type), kCode,
        "read the type of '" + port.name + "'");
  size_t rank = 0;
  check(api().GetDimensionsCount(tensor, &rank), kCode, "read the shape of '" + port.name + "'");
  port.shape.resize(rank);
  check(api().GetDimensions(tensor, port.shape.data(), rank), kCode, "read the shape of '" + port.name + "'");
  return port;
}

std::optional<InputRole> role_of(std::string_view name) {
  if (name == "input_ids") return InputRole::kIds;
  if (name == "attention_mask") return InputRole::kMask;
  if (name == "token_type_ids") return InputRole::kTypes;
  if (name == "position_ids") return InputRole::kPositions;
  return std::nullopt;
}

std::string list_names(const std::vector<Port>& ports) {
  std::string names;
  for (const Port& port : ports) names += (names.empty() ? "" : ", ") + port.name;
  return names;
}

bool is_float(const Port& port) { return port.element_type == kFloat32 || port.element_type == kFloat16; }

Output readable(const Port& port, const std::string& path) {
  if (!is_float(port))
    unsupported(path + ": output '" + port.name + "' has element type " + std::to_string(port.element_type) +
                " (ONNX numbering); gteway reads float32 and float16");
  if (port.shape.back() <= 0)
    unsupported(path + ": the last dimension of output '" + port.name + "' is not fixed in the model");
  return {port.name, static_cast<ElementType>(port.element_type), static_cast<size_t>(port.shape.back())};
}

void choose_outputs(const std::vector<Port>& outputs, const std::string& path, Model& model) {
  std::vector<OutputShape> shapes;
  for (const Port& port : outputs)
    shapes.push_back({port.name, port.shape.size(), port.shape.empty() ? 0 : port.shape.back()});
  const std::optional<size_t> rows = choose_token_rows(shapes), logits = choose_logits(shapes);
  if (!rows && !logits)
    unsupported(path +
                ": no output has the shape [batch, sequence, hidden] of token rows, which gteway pools" +
                " itself, or is the [batch, labels] 'logits' of a reranker; it has: " + list_names(outputs));
  if (rows) model.rows = readable(outputs[*rows], path);
  // Beside token rows it is something more, which nobody may want.
  if (logits && (!rows || (is_float(outputs[*logits]) && outputs[*logits].shape.back() > 0)))
    model.logits = readable(outputs[*logits], path);
}

}  // namespace

// The operator's name appears as such in the file, wherever the graph uses it.
bool quantizes_at_run_time(const std::string& path, const StopFlag& stop) {
  constexpr std::string_view kOperator = "DynamicQuantizeLinear";
  constexpr size_t kChunk = size_t{1} << 20;
  std::ifstream file(std::filesystem::path(reinterpret_cast<const char8_t*>(path.c_str())), std::ios::binary);
  std::string window;
  std::string chunk(kChunk, '\0');
  while (file) {
    stop.throw_if_stopped();
    file.read(chunk.data(), static_cast<std::streamsize>(kChunk));
    window.append(chunk, 0, static_cast<size_t>(file.gcount()));
    if (window.find(kOperator) != std::string::npos) return true;
    window.erase(0, window.size() - std::min(window.size(), kOperator.size() - 1));
  }
  return false;
}

Model describe_model(const OrtSession* session, const std::string& path) {
  size_t input_count = 0, output_count = 0;
  check(api().SessionGetInputCount(session, &input_count), ErrorCode::kModelInvalid,
        "count the inputs of " + path);
  check(api().SessionGetOutputCount(session, &output_count), ErrorCode::kModelInvalid,
        "count the outputs of " + path);

  Model model{};
  bool has_ids = false;
  for (size_t i = 0; i < input_count; ++i) {
    const Port port = read_port(session, i, api().SessionGetInputName, api().SessionGetInputTypeInfo);
    const std::optional<InputRole> role = role_of(port.name);
    if (!role)
      unsupported(
          path + ": input '" + port.name +
          "' is not one a text encoder takes (input_ids, attention_mask, token_type_ids, position_ids)");
    if (port.element_type != kInt64 && port.element_type != kInt32)
      unsupported(path + ": input '" + port.name + "' wants element type " +
                  std::to_string(port.element_type) + " (ONNX numbering); gteway gives int64 or int32");
    has_ids |= *role == InputRole::kIds;
    model.inputs.push_back({port.name, *role, static_cast<ElementType>(port.element_type)});
  }
  if (!has_ids) unsupported(path + ": it has no input named 'input_ids'");

  std::vector<Port> outputs;
  for (size_t i = 0; i < output_count; ++i)
    outputs.push_back(read_port(session, i, api().SessionGetOutputName, api().SessionGetOutputTypeInfo));
  choose_outputs(outputs, path, model);
  return model;
}

}  // namespace gteway::ort
