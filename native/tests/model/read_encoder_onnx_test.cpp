#include "model/read_encoder_onnx.hpp"

#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "model/bert_graph.hpp"
#include "test.hpp"

namespace gteway {
namespace {

using test::BertGraph;
using test::BertStyle;
using test::GraphToWrite;

EncoderWeights read(const std::string& bytes) {
  const auto kept = std::make_shared<const std::string>(bytes);
  const std::shared_ptr<const File> file =
      File::of_bytes(std::as_bytes(std::span(*kept)), kept, "/nowhere/model.onnx");
  EncoderWeights weights = read_encoder_onnx(read_onnx(file), file->path());
  check_encoder_weights(weights, file->path());
  return weights;
}

EncoderWeights read(const GraphToWrite& graph) { return read(test::write_model(graph)); }

std::vector<float> values(const Tensor& tensor) {
  std::vector<float> out(tensor.elements);
  tensor.read(0, out.size(), out.data());
  return out;
}

std::vector<float> stored(GraphToWrite& graph, const std::string& name) {
  const test::Bytes& raw = graph.initializer(name).raw;
  std::vector<float> out(raw.size() / sizeof(float));
  std::memcpy(out.data(), raw.data(), raw.size());
  return out;
}

void check_linear(const Linear& layer, GraphToWrite& graph, const std::string& name, size_t in, size_t out) {
  CHECK_EQ(layer.in, in);
  CHECK_EQ(layer.out, out);
  CHECK(!layer.out_major);
  CHECK_EQ(values(layer.weight), stored(graph, name + "/weight"));
  CHECK_EQ(values(layer.bias), stored(graph, name + "/bias"));
}

void check_bert(const EncoderWeights& weights, GraphToWrite& graph, Activation activation) {
  CHECK_EQ(weights.config.vocabulary, 50u);
  CHECK_EQ(weights.config.positions, 16u);
  CHECK_EQ(weights.config.token_types, 2u);
  CHECK_EQ(weights.config.hidden, 64u);
  CHECK_EQ(weights.config.layers, 2u);
  CHECK_EQ(weights.config.heads, 2u);
  CHECK_EQ(weights.config.head_size, 32u);
  CHECK_EQ(weights.config.intermediate, 96u);
  CHECK(weights.config.activation == activation);
  CHECK_EQ(weights.config.layer_norm_epsilon, 1e-12F);
  CHECK_EQ(values(weights.words), stored(graph, "words/table"));
  CHECK_EQ(values(weights.positions), stored(graph, "places/table"));
  CHECK_EQ(values(weights.token_types), stored(graph, "types/table"));
  CHECK_EQ(values(weights.embedding_norm.gamma), stored(graph, "embeddings/norm/gamma"));
  CHECK_EQ(weights.layers.size(), 2u);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const EncoderLayer& layer = weights.layers[i];
    const std::string at = "layer" + std::to_string(i);
    check_linear(layer.query, graph, at + "/query", 64, 64);
    check_linear(layer.key, graph, at + "/key", 64, 64);
    check_linear(layer.value, graph, at + "/value", 64, 64);
    check_linear(layer.attention_output, graph, at + "/projected", 64, 64);
    check_linear(layer.up, graph, at + "/up", 64, 96);
    check_linear(layer.down, graph, at + "/down", 96, 64);
    CHECK_EQ(values(layer.attention_norm.beta), stored(graph, at + "/middle/beta"));
    CHECK_EQ(values(layer.output_norm.gamma), stored(graph, at + "/output/gamma"));
  }
}

struct NamedStyle {
  const char* name;
  BertStyle style;
};

[[maybe_unused]] const bool added = [] {
  const std::vector<NamedStyle> styles = {
      {"elementary operators", {}},
      {"LayerNormalization", {.layer_norm_operator = true}},
      {"tanh GELU", {.tanh_gelu = true}},
      {"Gelu", {.layer_norm_operator = true, .gelu_operator = true}},
      {"Gelu by tanh", {.tanh_gelu = true, .gelu_operator = true}},
      {"scaled_dot_product_attention", {.scaled_dot_product = true}},
      {"constant shapes", {.quarter_reshape = true}},
      {"a mask looked up by places", {.index_mask = true}},
  };
  for (const auto& [name, style] : styles)
    test::add(std::string("onnx encoder: the weights of a BERT written with ") + name, [style = style] {
      BertGraph bert(style);
      check_bert(read(bert.graph()), bert.graph(),
                 style.tanh_gelu ? Activation::kGeluTanh : Activation::kGeluErf);
    });
  return true;
}();

TEST("onnx encoder: RoBERTa's positions begin behind that of the padding") {
  for (const bool index_mask : {false, true}) {
    BertGraph bert({.index_mask = index_mask, .padded_positions = true});
    const EncoderWeights weights = read(bert.graph());
    CHECK(weights.config.padding_id == 3);
    CHECK_EQ(weights.config.positions, 12u);
    CHECK_EQ(values(weights.positions), stored(bert.graph(), "places/table"));
  }
}

TEST("onnx encoder: a linear layer may have no bias, a LayerNormalization no beta") {
  BertGraph bert({.layer_norm_operator = true});
  GraphToWrite& graph = bert.graph();
  graph.node("layer0/down").op = "Identity";
  graph.node("layer0/down").inputs = {"layer0/down/product"};
  graph.node("layer1/output").inputs.pop_back();
  const EncoderWeights weights = read(graph);
  CHECK_EQ(weights.layers[0].down.bias.elements, 0u);
  CHECK_EQ(weights.layers[1].output_norm.beta.elements, 0u);
  CHECK_EQ(values(weights.layers[1].output_norm.gamma), stored(graph, "layer1/output/gamma"));
}

TEST("onnx encoder: without an input for them, tokens have the first type alone") {
  BertGraph bert;
  GraphToWrite& graph = bert.graph();
  graph.inputs.pop_back();
  graph.node("types").inputs[1] = "zeros";
  graph.nodes.insert(graph.nodes.begin(), {{"zeros/shape", "Shape", {"input_ids"}, {"zeros/shape"}, {}, ""},
                                           {"zeros",
                                            "ConstantOfShape",
                                            {"zeros/shape"},
                                            {"zeros"},
                                            {{"value", test::integers("", {1}, {0})}},
                                            ""}});
  CHECK_EQ(read(graph).config.token_types, 1u);
}

TEST("onnx encoder: a branch that the token vectors do not depend on, such as a pooler, is ignored") {
  BertGraph bert;
  GraphToWrite& graph = bert.graph();
  graph.add("pooler/first", "Gather",
            {"last_hidden_state", graph.add(test::integers("pooler/zero", {}, {0}))}, {{"axis", int64_t{1}}});
  graph.nodes.push_back({"pooler", "SomethingElse", {"pooler/first"}, {"pooler_output"}, {}, "their.domain"});
  graph.outputs.push_back({"pooler_output", 1, {-1, 64}});
  check_bert(read(graph), graph, Activation::kGeluErf);
}

TEST("onnx encoder: elements may be listed in float_data and int64_data") {
  BertGraph bert;
  for (test::TensorToWrite& tensor : bert.graph().initializers) tensor.typed = true;
  check_bert(read(bert.graph()), bert.graph(), Activation::kGeluErf);
}

TEST("onnx encoder: a weight that the graph transposes is told apart") {
  BertGraph bert;
  GraphToWrite& graph = bert.graph();
  test::TensorToWrite& weight = graph.initializer("layer1/up/weight");
  weight.dims = {96, 64};
  graph.nodes.insert(
      graph.nodes.begin(),
      {"turned", "Transpose", {"layer1/up/weight"}, {"turned"}, {{"perm", std::vector<int64_t>{1, 0}}}, ""});
  graph.node("layer1/up/product").inputs[1] = "turned";
  const EncoderWeights weights = read(graph);
  CHECK(weights.layers[1].up.out_major);
  CHECK_EQ(weights.layers[1].up.in, 64u);
  CHECK_EQ(weights.layers[1].up.out, 96u);
  CHECK(!weights.layers[0].up.out_major);
}

// Every change that makes the graph compute something else, and what the refusal must name.
struct Spoiled {
  const char* name;
  std::function<void(GraphToWrite&)> change;
  const char* reason;
  BertStyle style = {};
};

void set_float(GraphToWrite& graph, const std::string& name, float value) {
  std::memcpy(graph.initializer(name).raw.data(), &value, sizeof value);
}
void set_integer(GraphToWrite& graph, const std::string& name, size_t index, int64_t value) {
  std::memcpy(graph.initializer(name).raw.data() + 8 * index, &value, sizeof value);
}

const std::vector<Spoiled>& spoiled() {
  using G = GraphToWrite;
  static const std::vector<Spoiled> all = {
      {"another activation", [](G& g) { g.node("layer1/gelu/erf").op = "Sigmoid"; },
       "'layer1/gelu/erf' (Sigmoid)"},
      {"ReLU instead of GELU",
       [](G& g) {
         g.insert_behind("layer0/up", {"relu", "Relu", {"layer0/up"}, {}, {}, ""});
       },
       "not taken of a linear layer"},
      {"no activation", [](G& g) { g.node("layer1/down/product").inputs[0] = "layer1/up"; }, "no GELU"},
      {"GELU of another constant", [](G& g) { set_float(g, "layer0/gelu/root", 1.702F); }, "erf is of"},
      {"GELU without its half", [](G& g) { set_float(g, "layer0/gelu/half", 0.25F); }, "no GELU"},
      {"GELU's product with another value",
       [](G& g) { g.node("layer0/gelu/twice").inputs[0] = "layer0/middle"; }, "layer0/gelu/twice"},
      {"another GELU in one layer",
       [](G& g) {
         g.node("layer0/gelu").op = "Gelu";
         g.node("layer0/gelu").attributes = {{"approximate", std::string("tanh")}};
         g.node("layer0/gelu").inputs = {"layer0/up"};
       },
       "another activation",
       {.gelu_operator = true}},
      {"tanh GELU of another cubic",
       [](G& g) { set_float(g, "layer1/gelu/cubic", 0.0447F); },
       "layer1/gelu",
       {.tanh_gelu = true}},
      {"tanh GELU of another root",
       [](G& g) { set_float(g, "layer1/gelu/root", 0.8F); },
       "layer1/gelu/tanh",
       {.tanh_gelu = true}},
      {"another scale", [](G& g) { set_float(g, "layer1/root", 8); }, "attention is scaled"},
      {"no scale", [](G& g) { g.node("layer1/masked").inputs[0] = "layer1/products"; },
       "attention is scaled"},
      {"scale on the queries only",
       [](G& g) { g.node("layer0/scores").inputs[1] = "layer0/key/turned"; },
       "attention is scaled",
       {.scaled_dot_product = true}},
      {"softmax over the queries",
       [](G& g) { g.node("layer0/softmax").attribute("axis").value = int64_t{2}; },
       "'layer0/softmax' (Softmax)"},
      {"no mask", [](G& g) { g.node("layer0/softmax").inputs[0] = "layer0/scores"; }, "(Softmax)"},
      {"a mask of the queries", [](G& g) { set_integer(g, "mask/axes", 1, 3); }, "mask"},
      {"a soft mask", [](G& g) { set_float(g, "mask/lowest", -5); }, "lowers padding"},
      {"the mask upside down", [](G& g) { g.node("mask").inputs[0] = "mask/cast"; }, "layer0/masked"},
      {"relative positions",
       [](G& g) {
         g.insert_behind("layer0/scores", {"bias", "Add", {"layer0/scores", "layer0/products"}, {}, {}, ""});
       },
       "'bias' (Add)"},
      {"a bias on the scores from the file",
       [](G& g) {
         g.add(test::floats("relative", {32}, std::vector<float>(32)));
         g.insert_behind("layer0/scores", {"bias", "Add", {"layer0/scores", "relative"}, {}, {}, ""});
       },
       "'bias' (Add)"},
      {"queries times queries", [](G& g) { g.node("layer0/value/product").inputs[0] = "layer0/query"; },
       "layer0/value"},
      {"keys as queries",
       [](G& g) {
         g.node("layer0/products").inputs = {"layer0/key/heads", "layer0/query/heads"};
       },
       "layer0/products"},
      {"values not transposed", [](G& g) { g.node("layer0/mixed").inputs[1] = "layer0/value/split"; },
       "layer0/mixed"},
      {"another order of the keys",
       [](G& g) {
         g.node("layer0/key/heads").attribute("perm").value = std::vector<int64_t>{0, 3, 2, 1};
       },
       "layer0/products"},
      {"another order of the mix",
       [](G& g) {
         g.node("layer1/rows").attribute("perm").value = std::vector<int64_t>{0, 2, 3, 1};
       },
       "layer1/merged"},
      {"the mix not transposed", [](G& g) { g.node("layer1/merged").inputs[0] = "layer1/mixed"; },
       "layer1/merged"},
      {"another number of heads in one layer",
       [](G& g) {
         for (const char* part : {"query", "key", "value"}) {
           set_integer(g, std::string("layer0/") + part + "/split/tail", 0, 4);
           set_integer(g, std::string("layer0/") + part + "/split/tail", 1, 16);
         }
         set_float(g, "layer0/root", 4);
       },
       "another number of heads"},
      {"heads of another size for the values",
       [](G& g) {
         set_integer(g, "layer0/value/split/tail", 0, 4);
         set_integer(g, "layer0/value/split/tail", 1, 16);
       },
       "layer0/mixed"},
      {"a swapped residual", [](G& g) { g.node("layer1/residual").inputs[1] = "embeddings/norm"; },
       "does not read what its residual adds"},
      {"a residual from before the attention",
       [](G& g) { g.node("layer0/sum").inputs[1] = "embeddings/norm"; },
       "does not read what its residual adds"},
      {"no residual",
       [](G& g) {
         g.node("layer0/output/mean").inputs[0] = "layer0/down";
         g.node("layer0/output/centred").inputs[0] = "layer0/down";
       },
       "not taken of a sum"},
      {"the residual twice",
       [](G& g) {
         g.insert_behind("layer0/sum", {"again", "Add", {"layer0/sum", "layer0/middle"}, {}, {}, ""});
       },
       "not the sum of a linear layer"},
      {"pre-norm", [](G& g) { g.node("layer1/residual").inputs[1] = "layer0/sum"; }, "layer1/residual"},
      {"another epsilon in one LayerNorm", [](G& g) { set_float(g, "layer0/middle/epsilon", 1e-5F); },
       "another epsilon"},
      {"another epsilon in one LayerNormalization",
       [](G& g) { g.node("layer0/middle").attribute("epsilon").value = 1e-5F; },
       "another epsilon",
       {.layer_norm_operator = true}},
      {"LayerNormalization with the default epsilon",
       [](G& g) { g.node("layer0/middle").attributes.pop_back(); },
       "another epsilon",
       {.layer_norm_operator = true}},
      {"LayerNormalization over the sequence",
       [](G& g) { g.node("layer0/middle").attribute("axis").value = int64_t{1}; },
       "layer0/middle",
       {.layer_norm_operator = true}},
      {"a mean over the sequence",
       [](G& g) { g.node("layer0/output/mean").attribute("axes").value = std::vector<int64_t>{1}; },
       "layer0/output/mean"},
      {"a mean of cubes", [](G& g) { set_float(g, "layer0/output/two", 3); }, "layer0/output"},
      {"a variance of another value", [](G& g) { g.node("layer0/output/mean").inputs[0] = "layer0/middle"; },
       "layer0/output/centred"},
      {"RMS norm", [](G& g) { g.node("layer0/output/square").inputs[0] = "layer0/sum"; }, "layer0/output"},
      {"gamma twice",
       [](G& g) {
         g.insert_behind("layer0/output/scaled",
                         {"again", "Mul", {"layer0/output/scaled", "layer0/output/gamma"}, {}, {}, ""});
       },
       "'again' (Mul)"},
      {"no embedding norm",
       [](G& g) {
         for (auto& n : g.nodes)
           std::replace(n.inputs.begin(), n.inputs.end(), std::string("embeddings/norm"),
                        std::string("embeddings/sum"));
       },
       "layer0"},
      {"no positions",
       [](G& g) {
         g.node("embeddings/norm/mean").inputs[0] = "embeddings/typed";
         g.node("embeddings/norm/centred").inputs[0] = "embeddings/typed";
       },
       "nothing of positions"},
      {"words twice",
       [](G& g) {
         g.node("types").inputs = {"words/table", "input_ids"};
       },
       "the same thing twice"},
      {"positions from 2", [](G& g) { set_integer(g, "positions/start", 0, 2); }, "does not start at 0"},
      {"positions in another order", [](G& g) { set_integer(g, "positions/all", 3, 7); }, "positions/all"},
      {"scaled words",
       [](G& g) {
         g.number("eight", 8);
         g.insert_behind("words", {"scaled", "Mul", {"words", "eight"}, {}, {}, ""});
       },
       "embeddings/typed"},
      {"a projection of the output",
       [](G& g) {
         g.add(test::floats("head", {64, 64}, std::vector<float>(64 * 64)));
         g.insert_behind("layer1/output", {"head/product", "MatMul", {"layer1/output", "head"}, {}, {}, ""});
       },
       "is no LayerNorm"},
      {"the output of the middle of a layer",
       [](G& g) { g.node("last_hidden_state").inputs[0] = "layer1/middle"; }, "no GELU"},
      {"the embeddings as the output",
       [](G& g) { g.node("last_hidden_state").inputs[0] = "embeddings/norm"; }, "no layer"},
      {"a mask looked up in another row",
       [](G& g) { g.node("mask/before").inputs[0] = "mask/keys"; },
       "two coordinates",
       {.index_mask = true}},
      {"a mask looked up by rows of another length",
       [](G& g) { g.node("mask/before").inputs[1] = "mask/batch"; },
       "mask",
       {.index_mask = true}},
      {"a mask with a causal part",
       [](G& g) { set_integer(g, "mask/least", 0, 1); },
       "not the same",
       {.index_mask = true}},
      {"a mask that hides tokens and shows padding",
       [](G& g) { std::swap(g.node("mask").inputs[1], g.node("mask").inputs[2]); },
       "mask",
       {.index_mask = true}},
      {"positions behind another token's than the padding's",
       [](G& g) {
         g.add(test::integers("other", {}, {4}));
         g.node("positions").inputs[1] = "other";
       },
       "'positions' (Add)",
       {.padded_positions = true}},
      {"positions that count the padding",
       [](G& g) { g.node("positions/counted").inputs[0] = "attention_mask"; },
       "counts something else",
       {.padded_positions = true}},
      {"a bias for every token",
       [](G& g) {
         g.initializer("layer0/down/bias").dims = {1, 64};
       },
       "layer0/down"},
      {"a weight of another shape",
       [](G& g) {
         g.initializer("layer0/up/weight").dims = {96, 64};
       },
       "layer0/up/product"},
      {"weights in another file", [](G& g) { g.initializer("layer0/up/weight").external = true; },
       "external data file"},
      {"double precision",
       [](G& g) {
         auto& t = g.initializer("layer0/up/bias");
         t.type = 11;
         t.raw += t.raw;
       },
       "double"},
      {"an operator of another domain", [](G& g) { g.node("layer0/softmax").domain = "com.microsoft"; },
       "com.microsoft"},
      {"quantised", [](G& g) { g.node("layer1/up/product").op = "MatMulInteger"; },
       "quantised: ONNX Runtime runs it"},
      {"an operator set that nobody knows", [](G& g) { g.opset = 99; }, "operator set 99"},
      {"a fixed batch",
       [](G& g) {
         g.inputs[0].dims = {1, -1};
       },
       "both free"},
      {"an input that is not text",
       [](G& g) {
         g.inputs.push_back({"pixels", 1, {-1, 3}});
       },
       "'pixels'"},
      {"no output of token rows",
       [](G& g) {
         g.outputs[0].dims = {-1, 64};
       },
       "no output"},
  };
  return all;
}

[[maybe_unused]] const bool added_spoiled = [] {
  for (const Spoiled& which : spoiled())
    test::add(std::string("onnx encoder: refuses ") + which.name, [&which] {
      BertGraph bert(which.style);
      which.change(bert.graph());
      try {
        read(bert.graph());
        test::fail(__FILE__, __LINE__, "nothing was thrown");
      } catch (const Error& error) {
        CHECK(error.code == ErrorCode::kModelUnsupported);
        if (std::string(error.what()).find(which.reason) == std::string::npos)
          test::fail(__FILE__, __LINE__, std::string(error.what()) + " lacks " + which.reason);
      }
    });
  return true;
}();

TEST("onnx encoder: half precision weights are read, with the rounded constants of their graph") {
  BertGraph bert;
  GraphToWrite& graph = bert.graph();
  // 64 ones: 0x3C00 each; the epsilon stays what a half can hold.
  for (test::TensorToWrite& tensor : graph.initializers)
    if (tensor.type == 1 && tensor.dims == std::vector<int64_t>{64}) {
      tensor.type = 10;
      tensor.raw.clear();
      for (int i = 0; i < 64; ++i) tensor.raw += std::string("\x00\x3C", 2);
    }
  for (const char* layer : {"layer0", "layer1"}) {
    test::TensorToWrite& root = graph.initializer(std::string(layer) + "/gelu/root");
    root.type = 10;
    root.raw = "\xA8\x3D";  // √2 as a half: 1.4140625
  }
  const EncoderWeights weights = read(graph);
  CHECK(weights.layers[0].output_norm.beta.type == ElementType::kF16);
  CHECK_EQ(values(weights.layers[0].output_norm.beta), std::vector<float>(64, 1.0F));
}

TEST("onnx encoder: a value computed twice is refused") {
  BertGraph bert;
  bert.graph().nodes.push_back(bert.graph().node("layer1/gelu"));
  bert.graph().insert_behind("layer1/gelu", {"again", "Erf", {"layer1/up"}, {}, {}, ""});
  bert.graph().node("again").outputs = {"layer1/gelu"};
  CHECK_THROWS(Error, read(bert.graph()), "");
}

TEST(
    "onnx encoder: a file that is cut anywhere, or has any byte changed, is refused or read, and nothing "
    "worse") {
  BertGraph bert({.layer_norm_operator = true});
  const std::string bytes = test::write_model(bert.graph());
  for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 500) try {
      read(bytes.substr(0, length));
      test::fail(__FILE__, __LINE__, "a file cut at " + std::to_string(length) + " was read");
    } catch (const Error&) {
    }
  // Most bytes are weights; structure is what the loop should hit.
  std::vector<size_t> structure;
  size_t printable = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    printable = bytes[i] >= 'a' && bytes[i] <= 'z' ? 40 : printable;
    if (printable > 0) {
      structure.push_back(i);
      --printable;
    }
  }
  std::mt19937 random(6);
  size_t read_anyway = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string changed = bytes;
    for (unsigned i = 0, count = 1 + random() % 3; i < count; ++i)
      changed[structure[random() % structure.size()]] = static_cast<char>(random());
    try {
      const EncoderWeights weights = read(changed);
      for (const EncoderLayer& layer : weights.layers) values(layer.up.weight);
      values(weights.words);
      ++read_anyway;
    } catch (const Error&) {
    }
  }
  CHECK(read_anyway < 4000);
}

}  // namespace
}  // namespace gteway
