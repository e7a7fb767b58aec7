// libFuzzer target: the input is a list of changes to the graph of a small BERT, which is then written as a
// well-formed ONNX file. Reaches the evaluator's operators, which changes to bytes of a file rarely do.
#include <array>
#include <memory>

#include "fuzz/encoder_use.hpp"
#include "model/bert_graph.hpp"
#include "model/read_encoder_onnx.hpp"

using namespace gteway;
using fuzz::Input;
using test::GraphToWrite;
using test::NodeToWrite;
using test::TensorToWrite;

namespace {

constexpr std::array kOperators = {
    "Add",       "Cast",      "Concat",  "Constant", "ConstantOfShape", "Div",        "Equal",
    "Erf",       "Expand",    "Gather",  "Gelu",     "Identity",        "IsNaN",      "MatMul",
    "Mul",       "Not",       "Pow",     "Range",    "Reshape",         "ReduceMean", "LayerNormalization",
    "Shape",     "Slice",     "Softmax", "Sqrt",     "Squeeze",         "Sub",        "Tanh",
    "Transpose", "Unsqueeze", "Where",   "Relu"};
constexpr std::array kAttributes = {"axis", "axes",  "to",       "perm",      "epsilon",    "start",
                                    "end",  "value", "keepdims", "allowzero", "approximate"};
// Where whole numbers change their meaning.
constexpr std::array<int64_t, 24> kNumbers = {0,
                                              1,
                                              2,
                                              3,
                                              4,
                                              5,
                                              7,
                                              8,
                                              9,
                                              16,
                                              17,
                                              32,
                                              63,
                                              64,
                                              65,
                                              -1,
                                              -2,
                                              -5,
                                              INT64_MAX,
                                              INT64_MIN,
                                              INT64_MIN + 1,
                                              INT64_MIN + 2,
                                              int64_t{1} << 31,
                                              int64_t{1} << 62};

int64_t number(Input& input) {
  const uint8_t which = input.byte();
  return which < 200 ? kNumbers[which % kNumbers.size()]
                     : static_cast<int64_t>(static_cast<int8_t>(input.byte()));
}

std::vector<int64_t> numbers(Input& input) {
  std::vector<int64_t> list(input.byte() % 70);
  for (int64_t& value : list) value = number(input);
  return list;
}

// A value that some node, input or initializer makes.
std::string some_value(const GraphToWrite& graph, Input& input) {
  const size_t which = input.word() % (graph.nodes.size() + graph.initializers.size() + graph.inputs.size());
  if (which < graph.nodes.size())
    return graph.nodes[which].outputs.empty() ? "" : graph.nodes[which].outputs[0];
  const size_t rest = which - graph.nodes.size();
  if (rest < graph.initializers.size()) return graph.initializers[rest].name;
  return graph.inputs[rest - graph.initializers.size()].name;
}

test::AttributeToWrite some_attribute(Input& input) {
  const std::string name = kAttributes[input.byte() % kAttributes.size()];
  switch (input.byte() % 5) {
    case 0:
      return {name, number(input)};
    case 1:
      return {name, static_cast<float>(number(input)) / 3};
    case 2:
      return {name, std::string(input.byte() % 2 ? "tanh" : "none")};
    case 3:
      return {name, numbers(input)};
    default: {
      const std::vector<int64_t> values = numbers(input);
      return {name, test::integers("", {static_cast<int64_t>(values.size())}, values)};
    }
  }
}

void change_tensor(TensorToWrite& tensor, Input& input) {
  switch (input.byte() % 6) {
    case 0:
      tensor.dims = numbers(input);
      break;
    case 1:
      if (!tensor.dims.empty()) tensor.dims[input.byte() % tensor.dims.size()] = number(input);
      break;
    case 2:
      tensor.type = input.byte() % 20;
      break;
    case 3:
      tensor.raw.resize(input.word() % 70000);
      break;
    case 4: {
      const std::vector<int64_t> values = numbers(input);
      tensor = test::integers(tensor.name, {static_cast<int64_t>(values.size())}, values);
      if (input.byte() % 4 == 0) tensor.dims.clear();
      break;
    }
    default:
      tensor.typed = !tensor.typed;
      tensor.external = input.byte() % 8 == 0;
  }
  // One by one, eight bytes each.
  if (tensor.typed && tensor.type != 1) tensor.raw.resize(tensor.raw.size() / 8 * 8);
}

void change(GraphToWrite& graph, Input& input) {
  NodeToWrite& node = graph.nodes[input.word() % graph.nodes.size()];
  switch (input.byte() % 9) {
    case 0:
      node.op = kOperators[input.byte() % kOperators.size()];
      break;
    case 1:
      if (!node.inputs.empty()) node.inputs[input.byte() % node.inputs.size()] = some_value(graph, input);
      break;
    case 2:
      node.inputs.push_back(some_value(graph, input));
      break;
    case 3:
      if (!node.inputs.empty()) node.inputs.pop_back();
      break;
    case 4:
      node.attributes = {some_attribute(input)};
      break;
    case 5:
      node.attributes.push_back(some_attribute(input));
      break;
    case 6:
      change_tensor(graph.initializers[input.word() % graph.initializers.size()], input);
      break;
    case 7: {
      const std::string before = node.outputs[0];
      NodeToWrite added{"new" + std::to_string(graph.nodes.size()),
                        kOperators[input.byte() % kOperators.size()],
                        {before},
                        {},
                        {},
                        ""};
      for (uint8_t i = input.byte() % 5; i > 0; --i) added.inputs.push_back(some_value(graph, input));
      graph.insert_behind(before, std::move(added));
      break;
    }
    default: {
      const std::vector<int64_t> values = numbers(input);
      graph.add(test::integers("list" + std::to_string(graph.initializers.size()),
                               {static_cast<int64_t>(values.size())}, values));
    }
  }
}

// The graph of a style, made once: most of the work would go into its weights.
GraphToWrite graph_of(uint8_t style) {
  static std::array<std::unique_ptr<GraphToWrite>, 32> made;
  std::unique_ptr<GraphToWrite>& graph = made[style % made.size()];
  if (!graph)
    graph = std::make_unique<GraphToWrite>(test::BertGraph({.layer_norm_operator = (style & 1) != 0,
                                                            .tanh_gelu = (style & 2) != 0,
                                                            .gelu_operator = (style & 4) != 0,
                                                            .scaled_dot_product = (style & 8) != 0,
                                                            .quarter_reshape = (style & 16) != 0,
                                                            .index_mask = (style & 32) != 0,
                                                            .padded_positions = (style & 64) != 0})
                                               .graph());
  return *graph;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  GraphToWrite graph = graph_of(input.byte());
  const bool is_changed = !input.empty();
  while (!input.empty()) change(graph, input);
  const auto file = fuzz::file_of(test::write_model(graph), "model.onnx");
  try {
    fuzz::use(read_encoder_onnx(read_onnx(file), file->path()));
  } catch (const Error& error) {
    fuzz::expect_refusal(error);
    fuzz::expect(is_changed, "the graph of a BERT was refused");
  }
  return 0;
}
