// The graph of a small BERT, in the ways exporters write one, for tests that then spoil it.
#pragma once

#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "model/onnx_writer.hpp"

namespace gteway::test {

struct BertStyle {
  bool layer_norm_operator = false;  // LayerNormalization, else what it is made of
  bool tanh_gelu = false;
  bool gelu_operator = false;       // operator set 20
  bool scaled_dot_product = false;  // torch's: √scale on queries and keys, the mask made by Where
  bool quarter_reshape = false;     // new shapes as constants with 0 and -1
  bool index_mask = false;          // transformers 5's: the mask looked up by row × tokens + token
  bool padded_positions = false;    // RoBERTa's, whose padding is token 3
};

class BertGraph {
 public:
  static constexpr int64_t kVocabulary = 50, kPositions = 16, kTypes = 2, kHidden = 64, kHeads = 2,
                           kHeadSize = 32, kIntermediate = 96, kLayers = 2;

  explicit BertGraph(BertStyle style = {}) : style_(style) {
    graph_.opset = style.gelu_operator ? 20 : 17;
    for (const char* name : {"input_ids", "attention_mask", "token_type_ids"})
      graph_.inputs.push_back({name, 7, {-1, -1}});
    axes_last_ = graph_.add(integers("last", {1}, {-1}));
    const std::string mask = style.index_mask           ? index_mask()
                             : style.scaled_dot_product ? where_mask()
                                                        : plain_mask();
    std::string hidden = embeddings();
    for (int64_t i = 0; i < kLayers; ++i) hidden = layer("layer" + std::to_string(i), hidden, mask);
    graph_.add("last_hidden_state", "Identity", {hidden});
    graph_.outputs.push_back({"last_hidden_state", 1, {-1, -1, kHidden}});
  }

  GraphToWrite& graph() { return graph_; }

 private:
  std::string plain_mask() {
    const std::string rows = graph_.add("mask/rows", "Unsqueeze",
                                        {"attention_mask", graph_.add(integers("mask/axes", {2}, {1, 2}))});
    const std::string real = graph_.add("mask/cast", "Cast", {rows}, {{"to", int64_t{1}}});
    const std::string padding = graph_.add("mask/sub", "Sub", {graph_.number("mask/one", 1), real});
    return graph_.add("mask", "Mul",
                      {padding, graph_.number("mask/lowest", std::numeric_limits<float>::lowest())});
  }

  // transformers' _prepare_4d_attention_mask_for_sdpa
  std::string where_mask() {
    const std::string rows = graph_.add("mask/rows", "Unsqueeze",
                                        {"attention_mask", graph_.add(integers("mask/axes", {2}, {1, 2}))});
    const std::string shape =
        graph_.add("mask/shape", "Concat",
                   {dimension("mask/batch", "input_ids", 0), graph_.add(integers("mask/one_head", {1}, {1})),
                    dimension("mask/queries", "input_ids", 1), graph_.add(integers("mask/keys", {1}, {-1}))},
                   {{"axis", int64_t{0}}});
    // The exporter resolves -1 ("as it is") by arithmetic on the shape.
    const std::string ones =
        graph_.add("mask/ones", "ConstantOfShape", {graph_.add(integers("mask/rank", {1}, {4}))},
                   {{"value", integers("", {1}, {1})}});
    const std::string minus =
        graph_.add("mask/minus", "Mul", {ones, graph_.add(integers("mask/minus_one", {}, {-1}))});
    const std::string open = graph_.add("mask/open", "Equal", {shape, minus});
    const std::string target = graph_.add("mask/target", "Where", {open, ones, shape});
    const std::string wide = graph_.add("mask/expand", "Expand", {rows, target});
    const std::string real = graph_.add("mask/cast", "Cast", {wide}, {{"to", int64_t{1}}});
    const std::string padding = graph_.add("mask/sub", "Sub", {graph_.number("mask/one", 1), real});
    const std::string hides = graph_.add("mask/bool", "Cast", {padding}, {{"to", int64_t{9}}});
    return graph_.add("mask", "Where",
                      {hides, graph_.number("mask/lowest", std::numeric_limits<float>::lowest()), padding});
  }

  // transformers.masking_utils, which asks for the mask by coordinates
  std::string index_mask() {
    const auto axes = [&](const std::string& name, std::vector<int64_t> list) {
      return graph_.add(integers(name, {static_cast<int64_t>(list.size())}, list));
    };
    const auto counted = [&](const std::string& at, int64_t dimension_of_ids, std::vector<int64_t> around) {
      const std::string shape = graph_.add(at + "/shape", "Shape", {"input_ids"});
      const std::string size = graph_.add(
          at + "/size", "Gather", {shape, graph_.add(integers(at + "/index", {}, {dimension_of_ids}))},
          {{"axis", int64_t{0}}});
      const std::string range = graph_.add(
          at + "/range", "Range",
          {graph_.add(integers(at + "/zero", {}, {0})), size, graph_.add(integers(at + "/one", {}, {1}))});
      return graph_.add(at, "Unsqueeze", {range, axes(at + "/around", std::move(around))});
    };
    const std::string rows = counted("mask/rows", 0, {1, 2, 3}), keys = counted("mask/keys", 1, {0, 1, 2});
    TensorToWrite yes = integers("", {1}, {});
    yes.type = 9;
    yes.raw = Bytes(1, '\1');
    const std::string all = graph_.add("mask/all", "ConstantOfShape",
                                       {graph_.add(integers("mask/no_dims", {0}, {}))}, {{"value", yes}});
    const std::string known =
        graph_.add("mask/known", "GreaterOrEqual", {keys, graph_.add(integers("mask/least", {}, {0}))});
    const std::string truth = graph_.add("mask/truth", "And", {all, known});
    const std::string real = graph_.add("mask/cast", "Cast", {"attention_mask"}, {{"to", int64_t{9}}});
    const std::string flat = graph_.add("mask/flat", "Flatten", {real}, {{"axis", int64_t{2}}});
    const std::string before =
        graph_.add("mask/before", "Mul", {rows, dimension("mask/tokens", "attention_mask", 1)});
    const std::string places = graph_.add("mask/places", "Add", {keys, before});
    const std::string found = graph_.add("mask/found", "Gather", {flat, places}, {{"axis", int64_t{0}}});
    const std::string line = graph_.add("mask/line", "Reshape", {found, axes("mask/open", {-1})});
    const std::string back =
        graph_.add("mask/back", "Reshape", {line, graph_.add("mask/places/shape", "Shape", {places})});
    const std::string both = graph_.add("mask/both", "And", {truth, back});
    const std::string target =
        graph_.add("mask/target", "Concat",
                   {dimension("mask/batch", "input_ids", 0), axes("mask/one_head", {1}),
                    dimension("mask/queries", "input_ids", 1), dimension("mask/width", "input_ids", 1)},
                   {{"axis", int64_t{0}}});
    const std::string wide = graph_.add("mask/wide", "Expand", {both, target});
    return graph_.add("mask", "Where",
                      {wide, graph_.number("mask/none", 0),
                       graph_.number("mask/lowest", std::numeric_limits<float>::lowest())});
  }

  // RobertaEmbeddings.create_position_ids_from_input_ids
  std::string padded_positions() {
    const std::string padding = graph_.add(integers("positions/padding", {}, {3}));
    const std::string is = graph_.add("positions/is", "Equal", {"input_ids", padding});
    const std::string is_not = graph_.add("positions/not", "Not", {is});
    const std::string ones = graph_.add("positions/ones", "Cast", {is_not}, {{"to", int64_t{6}}});
    const std::string counted =
        graph_.add("positions/counted", "CumSum", {ones, graph_.add(integers("positions/along", {}, {1}))});
    const std::string own = graph_.add("positions/own", "Mul", {counted, ones});
    const std::string wide = graph_.add("positions/wide", "Cast", {own}, {{"to", int64_t{7}}});
    return graph_.add("positions", "Add", {wide, padding});
  }

  // The size of one dimension, as a list of one.
  std::string dimension(const std::string& at, const std::string& of, int64_t axis) {
    const std::string shape = graph_.add(at + "/shape", "Shape", {of});
    const std::string size =
        graph_.add(at + "/gather", "Gather", {shape, graph_.add(integers(at + "/index", {}, {axis}))},
                   {{"axis", int64_t{0}}});
    return graph_.add(at, "Unsqueeze", {size, graph_.add(integers(at + "/axis", {1}, {0}))});
  }

  std::string weight(const std::string& name, std::vector<int64_t> dims) {
    size_t count = 1;
    for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(++seed_ % 1000) / 1000;
    return graph_.add(floats(name, std::move(dims), values));
  }

  std::string embeddings() {
    std::vector<int64_t> counting(kPositions);
    for (size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<int64_t>(i);
    const std::string positions = style_.padded_positions ? padded_positions() : [&] {
      const std::string all = graph_.add(integers("positions/all", {1, kPositions}, counting));
      return graph_.add(
          "positions", "Slice",
          {all, graph_.add(integers("positions/start", {1}, {0})), dimension("positions/end", "input_ids", 1),
           graph_.add(integers("positions/axis", {1}, {1})),
           graph_.add(integers("positions/step", {1}, {1}))});
    }();
    const std::string words =
        graph_.add("words", "Gather", {weight("words/table", {kVocabulary, kHidden}), "input_ids"},
                   {{"axis", int64_t{0}}});
    const std::string types =
        graph_.add("types", "Gather", {weight("types/table", {kTypes, kHidden}), "token_type_ids"},
                   {{"axis", int64_t{0}}});
    const std::string places =
        graph_.add("places", "Gather", {weight("places/table", {kPositions, kHidden}), positions},
                   {{"axis", int64_t{0}}});
    const std::string typed = graph_.add("embeddings/typed", "Add", {words, types});
    return norm("embeddings/norm", graph_.add("embeddings/sum", "Add", {typed, places}));
  }

  std::string linear(const std::string& at, const std::string& x, int64_t in, int64_t out) {
    const std::string product = graph_.add(at + "/product", "MatMul", {x, weight(at + "/weight", {in, out})});
    return graph_.add(at, "Add", {weight(at + "/bias", {out}), product});
  }

  std::string norm(const std::string& at, const std::string& x) {
    const std::string gamma = weight(at + "/gamma", {kHidden}), beta = weight(at + "/beta", {kHidden});
    if (style_.layer_norm_operator)
      return graph_.add(at, "LayerNormalization", {x, gamma, beta},
                        {{"axis", int64_t{-1}}, {"epsilon", 1e-12F}});
    const AttributeToWrite last{"axes", std::vector<int64_t>{-1}};
    const std::string mean = graph_.add(at + "/mean", "ReduceMean", {x}, {last});
    const std::string centred = graph_.add(at + "/centred", "Sub", {x, mean});
    const std::string square = graph_.add(at + "/square", "Pow", {centred, graph_.number(at + "/two", 2)});
    const std::string variance = graph_.add(at + "/variance", "ReduceMean", {square}, {last});
    const std::string safe =
        graph_.add(at + "/safe", "Add", {variance, graph_.number(at + "/epsilon", 1e-12F)});
    const std::string deviation = graph_.add(at + "/deviation", "Sqrt", {safe});
    const std::string unit = graph_.add(at + "/unit", "Div", {centred, deviation});
    return graph_.add(at, "Add", {graph_.add(at + "/scaled", "Mul", {unit, gamma}), beta});
  }

  std::string gelu(const std::string& at, const std::string& x) {
    if (style_.gelu_operator)
      return graph_.add(at, "Gelu", {x}, {{"approximate", std::string(style_.tanh_gelu ? "tanh" : "none")}});
    if (style_.tanh_gelu) {
      const std::string cube = graph_.add(at + "/cube", "Pow", {x, graph_.number(at + "/three", 3)});
      const std::string small =
          graph_.add(at + "/small", "Mul", {cube, graph_.number(at + "/cubic", 0.044715F)});
      const std::string inner =
          graph_.add(at + "/inner", "Mul",
                     {graph_.add(at + "/polynomial", "Add", {x, small}),
                      graph_.number(at + "/root", static_cast<float>(std::sqrt(2 / std::numbers::pi)))});
      const std::string sum = graph_.add(
          at + "/sum", "Add", {graph_.number(at + "/one", 1), graph_.add(at + "/tanh", "Tanh", {inner})});
      return graph_.add(at, "Mul",
                        {graph_.add(at + "/half", "Mul", {x, graph_.number(at + "/point5", 0.5F)}), sum});
    }
    const std::string quotient =
        graph_.add(at + "/quotient", "Div", {x, graph_.number(at + "/root", std::numbers::sqrt2_v<float>)});
    const std::string sum = graph_.add(
        at + "/sum", "Add", {graph_.add(at + "/erf", "Erf", {quotient}), graph_.number(at + "/one", 1)});
    return graph_.add(at, "Mul",
                      {graph_.add(at + "/twice", "Mul", {x, sum}), graph_.number(at + "/half", 0.5F)});
  }

  std::string reshape(const std::string& at, const std::string& x, const std::vector<int64_t>& tail) {
    std::string shape;
    if (style_.quarter_reshape) {
      std::vector<int64_t> dims = {0, -1};
      dims.insert(dims.end(), tail.begin(), tail.end());
      shape = graph_.add(integers(at + "/shape", {static_cast<int64_t>(dims.size())}, dims));
    } else {
      const std::string rest = graph_.add(integers(at + "/tail", {static_cast<int64_t>(tail.size())}, tail));
      shape = graph_.add(at + "/shape", "Concat",
                         {dimension(at + "/batch", x, 0), dimension(at + "/sequence", x, 1), rest},
                         {{"axis", int64_t{0}}});
    }
    return graph_.add(at, "Reshape", {x, shape});
  }

  std::string heads(const std::string& at, const std::string& x, std::vector<int64_t> order) {
    const std::string split = reshape(at + "/split", linear(at, x, kHidden, kHidden), {kHeads, kHeadSize});
    return graph_.add(at + "/heads", "Transpose", {split}, {{"perm", std::move(order)}});
  }

  std::string layer(const std::string& at, const std::string& x, const std::string& mask) {
    std::string query = heads(at + "/query", x, {0, 2, 1, 3});
    std::string key;
    const std::string value = heads(at + "/value", x, {0, 2, 1, 3});
    std::string scores;
    if (style_.scaled_dot_product) {
      const std::string shape = graph_.add(at + "/query/shape", "Shape", {query});
      const std::string size = graph_.add(
          at + "/size", "Slice", {shape, axes_last_, graph_.add(integers(at + "/end", {1}, {INT64_MAX}))});
      const std::string root = graph_.add(
          at + "/size/root", "Sqrt", {graph_.add(at + "/size/cast", "Cast", {size}, {{"to", int64_t{1}}})});
      const std::string scale =
          graph_.add(at + "/scale", "Div", {graph_.add(floats(at + "/unit", {1}, {1})), root});
      key = graph_.add(at + "/key/turned", "Transpose", {heads(at + "/key", x, {0, 2, 1, 3})},
                       {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
      query = graph_.add(at + "/query/scaled", "Mul", {query, graph_.add(at + "/scale/q", "Sqrt", {scale})});
      key = graph_.add(at + "/key/scaled", "Mul", {key, graph_.add(at + "/scale/k", "Sqrt", {scale})});
      scores = graph_.add(at + "/scores", "MatMul", {query, key});
    } else {
      key = heads(at + "/key", x, {0, 2, 3, 1});
      scores = graph_.add(at + "/scores", "Div",
                          {graph_.add(at + "/products", "MatMul", {query, key}),
                           graph_.number(at + "/root", std::sqrt(static_cast<float>(kHeadSize)))});
    }
    const std::string masked = graph_.add(at + "/masked", "Add", {scores, mask});
    const std::string weights = graph_.add(at + "/softmax", "Softmax", {masked}, {{"axis", int64_t{-1}}});
    const std::string mixed = graph_.add(at + "/mixed", "MatMul", {weights, value});
    const std::string rows =
        graph_.add(at + "/rows", "Transpose", {mixed}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    const std::string merged = reshape(at + "/merged", rows, {kHidden});
    const std::string attended =
        graph_.add(at + "/residual", "Add", {linear(at + "/projected", merged, kHidden, kHidden), x});
    const std::string middle = norm(at + "/middle", attended);
    const std::string active = gelu(at + "/gelu", linear(at + "/up", middle, kHidden, kIntermediate));
    const std::string narrow = linear(at + "/down", active, kIntermediate, kHidden);
    return norm(at + "/output", graph_.add(at + "/sum", "Add", {narrow, middle}));
  }

  BertStyle style_;
  GraphToWrite graph_;
  std::string axes_last_;
  uint32_t seed_ = 0;
};

}  // namespace gteway::test
