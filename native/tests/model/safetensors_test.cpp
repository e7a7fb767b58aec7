#include "model/safetensors.hpp"

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "model/read_encoder.hpp"
#include "temporary_file.hpp"
#include "test.hpp"

namespace gteway {
namespace {

using test::TemporaryFile;

std::string with_header(const std::string& header, const std::string& data) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  return out + header + data;
}

SafetensorsFile read(const std::string& content) {
  const TemporaryFile file(".safetensors", content);
  return read_safetensors(File::open(file.path()));
}

TEST("safetensors: tensors of every dtype are found with their shapes") {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},)"
      R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"c":{"dtype":"I64","shape":[],"data_offsets":[12,20]},)"
      R"("d":{"dtype":"BF16","shape":[1],"data_offsets":[20,22]},"none":{"dtype":"F32","shape":[0,3],"data_offsets":[22,22]}})";
  const float two[2] = {1.5F, -2.0F};
  std::string data(reinterpret_cast<const char*>(two), 8);
  data += std::string("\x00\x3C\x01\x00", 4) + std::string(8, '\0') + std::string("\xC0\x3F", 2);
  const TemporaryFile kept(".safetensors", with_header(header, data));
  const SafetensorsFile file = read_safetensors(File::open(kept.path()));
  CHECK_EQ(file.tensors.size(), 5u);
  float value[2] = {};
  file.tensors.at("a").tensor.read(0, 2, value);
  CHECK_EQ(value[0], 1.5F);
  CHECK_EQ(value[1], -2.0F);
  CHECK_EQ(file.tensors.at("a").shape, (std::vector<size_t>{2, 1}));
  file.tensors.at("b").tensor.read(0, 2, value);
  CHECK_EQ(value[0], 1.0F);
  CHECK_EQ(value[1], 0x1p-24F);  // the smallest half
  file.tensors.at("d").tensor.read(0, 1, value);
  CHECK_EQ(value[0], 1.5F);
  CHECK(!file.tensors.at("c").is_float);
  CHECK_EQ(file.tensors.at("none").tensor.elements, 0u);
}

struct Hostile {
  const char* name;
  std::string content;
  const char* reason;
};

[[maybe_unused]] const bool added_hostile = [] {
  const std::string four(4, '\0');
  const auto entry = [](const std::string& rest) { return "{\"a\":{" + rest + "}}"; };
  const std::vector<Hostile> all = {
      {"an empty file", "", "shorter than the length"},
      {"a header of 2^64 bytes", std::string(8, '\xFF') + "{}", "its header claims"},
      {"a header longer than the file", with_header("{}", "").substr(0, 9), "its header claims"},
      {"a header that is no JSON", with_header("{\"a\":", ""), "JSON"},
      {"a header that is an array", with_header("[]", ""), "not an object"},
      {"a header with something behind it", with_header("{} x", ""), "follows"},
      {"a name twice",
       with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\","
                   "\"shape\":[1],\"data_offsets\":[0,4]}}",
                   four),
       "occurs twice"},
      {"nesting without end", with_header(std::string(100000, '['), ""), "nested too deeply"},
      {"a tensor without dtype", with_header(entry("\"shape\":[1],\"data_offsets\":[0,4]"), four), "lacks"},
      {"an unknown dtype", with_header(entry("\"dtype\":\"F12\",\"shape\":[1],\"data_offsets\":[0,4]"), four),
       "unknown dtype"},
      {"a negative dimension",
       with_header(entry("\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]"), four), "no size"},
      {"a fractional dimension",
       with_header(entry("\"dtype\":\"F32\",\"shape\":[0.5],\"data_offsets\":[0,4]"), four), "no size"},
      {"a shape that overflows",
       with_header(
           entry("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,4]"),
           four),
       "larger than memory"},
      {"offsets beyond the file",
       with_header(entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), four),
       "outside the file"},
      {"offsets backwards",
       with_header(entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]"), four),
       "outside the file"},
      {"offsets that are no pair",
       with_header(entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]"), four), "lacks"},
      {"a shape of another size than its bytes",
       with_header(entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]"), four),
       "its shape wants 8"},
      {"tensors that overlap",
       with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\","
                   "\"shape\":[1],\"data_offsets\":[0,4]}}",
                   four),
       "begins at byte 0"},
      {"a gap before a tensor",
       with_header(entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]"), four + four),
       "begins at byte 4"},
      {"bytes behind the last tensor",
       with_header(entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]"), four + four),
       "the file at 8"},
  };
  for (const Hostile& which : all)
    test::add(std::string("safetensors: refuses ") + which.name,
              [which] { CHECK_THROWS(Error, read(which.content), which.reason); });
  return true;
}();

TEST("safetensors: a file that does not exist, and a directory, are errors with the system's reason") {
  CHECK_THROWS(Error, File::open("/nonexistent/model.safetensors"), "cannot be read");
  CHECK_THROWS(Error, File::open("/"), "not a file");
}

TEST("safetensors: a header with any byte changed is refused or read, and nothing worse") {
  const std::string good = with_header(
      R"({"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b\u00e9\ud83d\ude00":{"dtype":"F16","shape":[2],"data_offsets":[8,12]}})",
      std::string(12, '\x3C'));
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string changed = good;
    for (unsigned i = 0, count = 1 + random() % 3; i < count; ++i)
      changed[random() % changed.size()] = static_cast<char>(random());
    try {
      const TemporaryFile kept(".safetensors", changed);
      // As if written a while ago: one just written is looked at only once the clock of its times has moved
      // on.
      const auto written = std::filesystem::last_write_time(kept.path());
      std::filesystem::last_write_time(kept.path(), written - std::chrono::seconds(10));
      const SafetensorsFile file = read_safetensors(File::open(kept.path()));
      for (const auto& [name, tensor] : file.tensors)
        if (tensor.is_float) {
          std::vector<float> out(tensor.tensor.elements);
          tensor.tensor.read(0, out.size(), out.data());
        }
    } catch (const Error&) {
    }
  }
}

// A BERT as safetensors: every value is the number of its tensor.
struct Checkpoint {
  std::map<std::string, std::vector<size_t>> shapes;
  std::string prefix;
  std::string dtype = "F32";
  std::map<std::string, std::string> config = {
      {"model_type", "\"bert\""},   {"vocab_size", "10"},        {"max_position_embeddings", "8"},
      {"type_vocab_size", "2"},     {"hidden_size", "64"},       {"num_hidden_layers", "2"},
      {"num_attention_heads", "2"}, {"intermediate_size", "96"}, {"hidden_act", "\"gelu\""},
      {"layer_norm_eps", "1e-12"}};

  Checkpoint() {
    const auto linear = [&](const std::string& name, size_t in, size_t out) {
      shapes[name + ".weight"] = {out, in};
      shapes[name + ".bias"] = {out};
    };
    const auto norm = [&](const std::string& name) {
      shapes[name + ".weight"] = {64};
      shapes[name + ".bias"] = {64};
    };
    shapes["embeddings.word_embeddings.weight"] = {10, 64};
    shapes["embeddings.position_embeddings.weight"] = {8, 64};
    shapes["embeddings.token_type_embeddings.weight"] = {2, 64};
    norm("embeddings.LayerNorm");
    for (const std::string at : {"encoder.layer.0.", "encoder.layer.1."}) {
      for (const char* part : {"query", "key", "value"}) linear(at + "attention.self." + part, 64, 64);
      linear(at + "attention.output.dense", 64, 64);
      norm(at + "attention.output.LayerNorm");
      linear(at + "intermediate.dense", 64, 96);
      linear(at + "output.dense", 96, 64);
      norm(at + "output.LayerNorm");
    }
  }

  std::string content() const {
    std::string header = "{", data;
    float number = 0;
    for (const auto& [name, shape] : shapes) {
      std::string dims;
      size_t count = 1;
      for (const size_t dim : shape) {
        dims += (dims.empty() ? "" : ",") + std::to_string(dim);
        count *= dim;
      }
      const size_t begin = data.size();
      ++number;
      for (size_t i = 0; i < count; ++i)
        data.append(reinterpret_cast<const char*>(&number) + (dtype == "BF16" ? 2 : 0),
                    dtype == "BF16" ? 2 : 4);
      header += (header.size() > 1 ? ",\"" : "\"") +
                (name.starts_with('!') ? name.substr(1) : prefix + name) + "\":{\"dtype\":\"" + dtype +
                "\",\"shape\":[" + dims + "],\"data_offsets\":[" + std::to_string(begin) + "," +
                std::to_string(data.size()) + "]}";
    }
    return with_header(header + "}", data);
  }

  EncoderWeights read() const {
    std::string json = "{";
    for (const auto& [key, value] : config) json += (json.size() > 1 ? ",\"" : "\"") + key + "\":" + value;
    const TemporaryFile settings(".json", json + "}");
    const TemporaryFile file(".safetensors", content());
    return read_encoder(file.path(), settings.path());
  }

  float number_of(const std::string& name) const {
    return static_cast<float>(1 + std::distance(shapes.begin(), shapes.find(name)));
  }
};

float first(const Tensor& tensor) {
  float value = 0;
  tensor.read(0, 1, &value);
  return value;
}

TEST("safetensors encoder: every weight is where it belongs, with every known prefix and in bf16") {
  for (const char* prefix : {"", "bert.", "model."})
    for (const char* dtype : {"F32", "BF16"}) {
      Checkpoint checkpoint;
      checkpoint.prefix = prefix;
      checkpoint.dtype = dtype;
      const EncoderWeights weights = checkpoint.read();
      CHECK_EQ(weights.config.layers, 2u);
      CHECK_EQ(weights.config.head_size, 32u);
      CHECK_EQ(weights.config.positions, 8u);
      CHECK_EQ(weights.layers.size(), 2u);
      CHECK_EQ(first(weights.words), checkpoint.number_of("embeddings.word_embeddings.weight"));
      CHECK_EQ(first(weights.positions), checkpoint.number_of("embeddings.position_embeddings.weight"));
      CHECK_EQ(first(weights.token_types), checkpoint.number_of("embeddings.token_type_embeddings.weight"));
      CHECK_EQ(first(weights.embedding_norm.gamma), checkpoint.number_of("embeddings.LayerNorm.weight"));
      for (size_t i = 0; i < 2; ++i) {
        const EncoderLayer& layer = weights.layers[i];
        const std::string at = "encoder.layer." + std::to_string(i) + ".";
        CHECK_EQ(first(layer.query.weight), checkpoint.number_of(at + "attention.self.query.weight"));
        CHECK_EQ(first(layer.key.bias), checkpoint.number_of(at + "attention.self.key.bias"));
        CHECK_EQ(first(layer.value.weight), checkpoint.number_of(at + "attention.self.value.weight"));
        CHECK_EQ(first(layer.attention_output.bias),
                 checkpoint.number_of(at + "attention.output.dense.bias"));
        CHECK_EQ(first(layer.attention_norm.beta),
                 checkpoint.number_of(at + "attention.output.LayerNorm.bias"));
        CHECK_EQ(first(layer.up.weight), checkpoint.number_of(at + "intermediate.dense.weight"));
        CHECK_EQ(first(layer.down.weight), checkpoint.number_of(at + "output.dense.weight"));
        CHECK_EQ(first(layer.output_norm.gamma), checkpoint.number_of(at + "output.LayerNorm.weight"));
        CHECK(layer.up.out_major);
        CHECK_EQ(layer.up.in, 64u);
        CHECK_EQ(layer.up.out, 96u);
      }
    }
}

TEST("safetensors encoder: pooler, task heads and buffers beside the encoder are ignored") {
  Checkpoint checkpoint;
  checkpoint.prefix = "bert.";
  checkpoint.shapes["pooler.dense.weight"] = {64, 64};
  checkpoint.shapes["!cls.predictions.bias"] = {10};
  checkpoint.shapes["embeddings.position_ids"] = {1, 8};
  CHECK_EQ(checkpoint.read().layers.size(), 2u);
}

struct Spoiled {
  const char* name;
  std::function<void(Checkpoint&)> change;
  const char* reason;
};

[[maybe_unused]] const bool added_spoiled = [] {
  using C = Checkpoint;
  static const std::vector<Spoiled> all = {
      {"an unknown prefix", [](C& c) { c.prefix = "roberta."; },
       "no tensor embeddings.word_embeddings.weight"},
      {"a missing tensor", [](C& c) { c.shapes.erase("encoder.layer.1.output.dense.bias"); },
       "'encoder.layer.1.output.dense.bias' is missing"},
      {"a missing layer", [](C& c) { c.config["num_hidden_layers"] = "3"; },
       "'encoder.layer.2.attention.self.query.weight' is missing"},
      {"a layer too many", [](C& c) { c.config["num_hidden_layers"] = "1"; }, "'encoder.layer.1"},
      {"a tensor that no BERT has",
       [](C& c) {
         c.shapes["encoder.layer.0.attention.self.distance_embedding.weight"] = {15, 32};
       },
       "distance_embedding"},
      {"a weight of another shape",
       [](C& c) {
         c.shapes["encoder.layer.0.intermediate.dense.weight"] = {64, 96};
       },
       "[64, 96], config.json wants [96, 64]"},
      {"a table of another width",
       [](C& c) {
         c.shapes["embeddings.word_embeddings.weight"] = {10, 32};
       },
       "word_embeddings"},
      {"tensors of integers", [](C& c) { c.dtype = "I32"; }, "I32"},
      {"another model type", [](C& c) { c.config["model_type"] = "\"t5\""; },
       "'t5', not one of 'bert', 'roberta'"},
      {"relative positions", [](C& c) { c.config["position_embedding_type"] = "\"relative_key\""; },
       "'relative_key', not 'absolute'"},
      {"another activation", [](C& c) { c.config["hidden_act"] = "\"selu\""; }, "'selu', no GELU"},
      {"a decoder", [](C& c) { c.config["is_decoder"] = "true"; }, "is_decoder"},
      {"code of its own", [](C& c) { c.config["auto_map"] = "{\"AutoModel\":\"modeling.X\"}"; }, "auto_map"},
      {"quantised weights", [](C& c) { c.config["quantization_config"] = "{}"; }, "quantization_config"},
      {"pruned heads", [](C& c) { c.config["pruned_heads"] = "{\"0\":[1]}"; }, "pruned_heads"},
      {"an epsilon of 0", [](C& c) { c.config["layer_norm_eps"] = "0"; }, "epsilon"},
      {"heads of another size", [](C& c) { c.config["num_attention_heads"] = "4"; }, "a head has 16 values"},
  };
  for (const Spoiled& which : all)
    test::add(std::string("safetensors encoder: refuses ") + which.name, [&which] {
      Checkpoint checkpoint;
      which.change(checkpoint);
      try {
        checkpoint.read();
        test::fail(__FILE__, __LINE__, "nothing was thrown");
      } catch (const Error& error) {
        CHECK(error.code == ErrorCode::kModelUnsupported);
        if (std::string(error.what()).find(which.reason) == std::string::npos)
          test::fail(__FILE__, __LINE__, std::string(error.what()) + " lacks " + which.reason);
      }
    });
  return true;
}();

TEST("safetensors encoder: a config.json that lacks a size or contradicts itself is invalid") {
  for (const auto& [key, value, reason] :
       std::vector<std::array<const char*, 3>>{{"hidden_size", "null", "hidden_size"},
                                               {"hidden_size", "-64", "hidden_size"},
                                               {"vocab_size", "1e300", "vocab_size"},
                                               {"num_attention_heads", "5", "cannot be split"},
                                               {"model_type", "null", "model_type"},
                                               {"layer_norm_eps", "\"small\"", "layer_norm_eps"}}) {
    Checkpoint checkpoint;
    checkpoint.config[key] = value;
    CHECK_THROWS(Error, checkpoint.read(), reason);
  }
}

}  // namespace
}  // namespace gteway
