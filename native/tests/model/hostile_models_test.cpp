// Small files that once took gigabytes, or made something read what is not there.
#include <functional>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "base/error.hpp"
#include "model/bert_graph.hpp"
#include "model/json.hpp"
#include "model/read_encoder.hpp"
#include "temporary_file.hpp"
#include "test.hpp"

namespace gteway {
namespace {

using test::Bytes;
using test::GraphToWrite;
using test::TemporaryFile;

constexpr std::string_view kConfig =
    R"({"model_type":"bert","vocab_size":9,"max_position_embeddings":9,"type_vocab_size":1,"hidden_size":64,)"
    R"("num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":96})";

constexpr size_t kAllowed = size_t{64} << 20;

std::string with_length(const std::string& header) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  return out + header;
}

std::string repeated(const std::string& part, size_t bytes) {
  std::string out;
  out.reserve(bytes + part.size());
  while (out.size() < bytes) out += part;
  return out;
}

// A model whose graph is `body`.
Bytes model_of(const Bytes& body) {
  Bytes opset, model;
  test::put_integer(opset, 2, 17);
  test::put_bytes(model, 7, body);
  test::put_bytes(model, 8, opset);
  return model;
}

Bytes field(uint32_t number, const Bytes& content) {
  Bytes out;
  test::put_bytes(out, number, content);
  return out;
}

// Refused, for `reason`, and with no more memory than the file's size and 64 MiB.
void check_refused(const std::string& ending, const std::string& content, const std::string& reason) {
  const TemporaryFile file(ending, content), config(".json", kConfig);
  test::begin_peak();
  try {
    read_encoder(file.path(), config.path());
    test::fail(__FILE__, __LINE__, "nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.code == ErrorCode::kModelUnsupported || error.code == ErrorCode::kModelInvalid);
    if (std::string(error.what()).find(reason) == std::string::npos)
      test::fail(__FILE__, __LINE__, std::string(error.what()).substr(0, 500) + " lacks " + reason);
    CHECK(std::string_view(error.what()).size() < 2000);
  }
  if (test::peak_bytes() > content.size() + kAllowed)
    test::fail(__FILE__, __LINE__, "it took " + std::to_string(test::peak_bytes() >> 20) + " MiB");
}

TEST("hostile models: a small graph that doubles a list again and again is refused at once") {
  test::BertGraph bert;
  GraphToWrite& graph = bert.graph();
  std::string list = graph.add(test::integers("seed", {2}, {1, 2}));
  for (int i = 0; i < 40; ++i)
    list = graph.add("double" + std::to_string(i), "Concat", {list, list}, {{"axis", int64_t{0}}});
  std::rotate(graph.nodes.begin(), graph.nodes.end() - 40, graph.nodes.end());
  graph.node("layer0/merged").inputs[1] = list;
  check_refused(".onnx", test::write_model(graph),
                "'double5' (Concat): its result is a list of more than 64");
}

TEST("hostile models: dimensions that multiply are refused at once") {
  test::BertGraph bert;
  GraphToWrite& graph = bert.graph();
  std::string value = "attention_mask";
  for (int i = 0; i < 8; ++i)
    value = graph.add("wide" + std::to_string(i), "Unsqueeze",
                      {value, graph.add(test::integers("axes" + std::to_string(i), {4}, {0, 1, 2, 3}))});
  std::rotate(graph.nodes.begin(), graph.nodes.end() - 8, graph.nodes.end());
  graph.node("mask/rows").inputs[0] = value;
  check_refused(".onnx", test::write_model(graph),
                "'wide3' (Unsqueeze): its result has more than 16 dimensions");
}

TEST("hostile models: a size of the request that a file claims to know is refused") {
  test::BertGraph bert({.scaled_dot_product = true});
  bert.graph().node("mask/ones").attribute("value").value = test::integers("", {1}, {INT64_MIN + 1});
  check_refused(".onnx", test::write_model(bert.graph()), "'mask/ones' (ConstantOfShape)");
}

TEST("hostile models: tables without a row are refused") {
  for (const char* table : {"types/table", "words/table", "places/table"}) {
    test::BertGraph bert;
    test::TensorToWrite& tensor = bert.graph().initializer(table);
    tensor.dims[0] = 0;
    tensor.raw.clear();
    check_refused(".onnx", test::write_model(bert.graph()), "has no row");
  }
}

struct Large {
  const char* name;
  const char* ending;
  std::function<std::string()> content;
  const char* reason;
};

constexpr size_t kLarge = size_t{8} << 20;

[[maybe_unused]] const bool added_large = [] {
  static const std::vector<Large> all = {
      {"numbers in a safetensors header", ".safetensors",
       [] { return with_length("[" + repeated("0,", kLarge) + "0]"); }, "more than 100000 values"},
      {"empty objects in a safetensors header", ".safetensors",
       [] { return with_length("[" + repeated("{},", kLarge) + "0]"); }, "more than 100000 values"},
      {"fields in a safetensors header", ".safetensors",
       [] {
         std::string out = "{";
         for (int i = 0; out.size() < kLarge; ++i) out += "\"" + std::to_string(i) + "\":0,";
         return with_length(out + "\"x\":0}");
       },
       "more than 100000 values"},
      {"one long name in a safetensors header", ".safetensors",
       [] { return with_length("{\"" + repeated("name", kLarge) + "\":0}"); }, "lacks dtype"},
      {"one long number in a safetensors header", ".safetensors",
       [] { return with_length("[" + repeated("1", kLarge) + "]"); }, "more than 1000 characters"},
      {"a safetensors header of 17 MiB", ".safetensors",
       [] { return with_length(repeated(" ", size_t{17} << 20)); }, "are the most that are read"},
      {"empty nodes", ".onnx", [] { return model_of(repeated(field(1, ""), kLarge)); }, "of memory"},
      {"empty inputs", ".onnx", [] { return model_of(field(1, repeated(field(1, ""), kLarge))); },
       "of memory"},
      {"empty attributes", ".onnx", [] { return model_of(field(1, repeated(field(5, ""), kLarge))); },
       "of memory"},
      {"empty initializers", ".onnx", [] { return model_of(repeated(field(5, ""), kLarge)); }, ""},
      {"initializers of one name each", ".onnx",
       [] {
         Bytes body;
         for (int i = 0; body.size() < kLarge; ++i)
           body += field(5, test::write_tensor(test::floats("w" + std::to_string(i), {1}, {1})));
         return model_of(body);
       },
       "of memory"},
      {"empty ports", ".onnx", [] { return model_of(repeated(field(11, ""), kLarge)); }, "of memory"},
      {"dimensions", ".onnx", [] { return model_of(field(5, repeated(std::string("\x08\x01"), kLarge))); },
       "of memory"},
      {"packed dimensions", ".onnx", [] { return model_of(field(5, field(1, repeated("\x01", kLarge)))); },
       "of memory"},
      {"listed integers", ".onnx", [] { return model_of(field(5, field(7, repeated("\x01", kLarge)))); },
       "of memory"},
      {"names of a megabyte", ".onnx",
       [] { return model_of(repeated(field(1, field(4, repeated("Op", size_t{1} << 20))), 3 * kLarge)); },
       "of memory"},
      {"unknown fields", ".onnx", [] { return model_of(repeated(std::string("\xC8\x01\x01"), 3 * kLarge)); },
       "fields"},
      {"many kinds of values", ".onnx",
       [] {
         test::BertGraph bert;
         GraphToWrite& graph = bert.graph();
         std::string list = "seed";
         graph.add(test::integers("seed", {60}, std::vector<int64_t>(60, 7)));
         graph.add(test::integers("one", {1}, {1}));
         std::vector<test::NodeToWrite> first;
         for (int i = 0; i < 30000; ++i) {
           const std::string next = "a" + std::to_string(i);
           first.push_back({"", "Add", {list, "one"}, {next}, {}, ""});
           list = next;
         }
         graph.nodes.insert(graph.nodes.begin(), first.begin(), first.end());
         graph.node("layer0/merged").inputs[1] = list;
         return test::write_model(graph);
       },
       "more different things"},
  };
  for (const Large& which : all)
    test::add(std::string("hostile models: megabytes of ") + which.name + " are refused with little memory",
              [&which] { check_refused(which.ending, which.content(), which.reason); });
  return true;
}();

TEST("hostile models: a config.json that is too long is refused unread") {
  const TemporaryFile file(".safetensors", with_length("{}")),
      config(".json", repeated(" ", size_t{17} << 20));
  test::begin_peak();
  CHECK_THROWS(Error, read_encoder(file.path(), config.path()), "are the most that are read");
  CHECK(test::peak_bytes() < size_t{1} << 20);
}

TEST("hostile models: the graph of a BERT is far from every bound") {
  test::BertGraph bert({.scaled_dot_product = true});
  const TemporaryFile file(".onnx", test::write_model(bert.graph()));
  test::begin_peak();
  CHECK_EQ(read_encoder(file.path(), "").layers.size(), 2u);
  CHECK(test::peak_bytes() < size_t{1} << 20);
}

}  // namespace
}  // namespace gteway
