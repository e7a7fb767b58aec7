#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "model/bert_graph.hpp"
#include "model/onnx_model.hpp"
#include "model/read_encoder.hpp"
#include "scheduler/registry.hpp"
#include "test.hpp"

namespace gteway {
namespace {

// A model in a directory of its own, every table and weight of it in a file beside it.
class ExternalModel {
 public:
  explicit ExternalModel(const std::string& location = "weights/model.onnx_data") {
    directory_ = std::filesystem::temp_directory_path() /
                 ("gteway-external-" + std::to_string(std::random_device{}()));
    std::filesystem::create_directories(directory_ / "weights");
    test::BertGraph bert;
    std::string data = "begin";
    for (test::TensorToWrite& tensor : bert.graph().initializers) {
      if (tensor.type != 1 || tensor.dims.empty()) continue;
      tensor.location = location;
      tensor.offset = static_cast<int64_t>(data.size());
      data += tensor.raw;
    }
    graph = bert.graph();
    write(data_path(), data);
    write(path(), test::write_model(graph));
  }
  ExternalModel(const ExternalModel&) = delete;
  ExternalModel& operator=(const ExternalModel&) = delete;
  ~ExternalModel() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  static void write(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }
  std::string path() const { return (directory_ / "model.onnx").string(); }
  std::string data_path() const { return (directory_ / "weights" / "model.onnx_data").string(); }

  test::GraphToWrite graph;

 private:
  std::filesystem::path directory_;
};

std::vector<float> values(const Tensor& tensor) {
  std::vector<float> out(tensor.elements);
  tensor.read(0, out.size(), out.data());
  return out;
}

TEST("external data: weights in a file beside the model are those of the model") {
  ExternalModel model;
  const EncoderWeights weights = read_encoder(model.path(), "");
  CHECK_EQ(weights.files.size(), 2u);
  const test::Bytes& raw = model.graph.initializer("layer1/up/weight").raw;
  std::vector<float> expected(raw.size() / sizeof(float));
  std::memcpy(expected.data(), raw.data(), raw.size());
  CHECK_EQ(values(weights.layers[1].up.weight), expected);
  weights.check_unchanged();
}

TEST("external data: a change of that file is told, and is another identity") {
  ExternalModel model;
  const std::string before = weights_identity(model.path());
  CHECK_EQ(external_data_paths(model.path()), (std::vector<std::string>{model.data_path()}));
  CHECK_EQ(weights_identity(model.path()), before);
  const EncoderWeights weights = read_encoder(model.path(), "");
  std::ofstream(model.data_path(), std::ios::binary | std::ios::app) << "x";
  CHECK_THROWS(Error, weights.check_unchanged(), "model.onnx_data was changed while it was read");
  CHECK(weights_identity(model.path()) != before);
}

TEST(
    "external data: what is missing, too short or outside of the model's directory is the reason to refuse") {
  {
    ExternalModel model;
    std::filesystem::resize_file(model.data_path(), 1000);
    CHECK_THROWS(Error, read_encoder(model.path(), ""), "lies outside of");
    std::filesystem::remove(model.data_path());
    CHECK_THROWS(Error, read_encoder(model.path(), ""), "cannot be read");
  }
  for (const std::string& location :
       {std::string("/etc/passwd"), std::string("../model.onnx_data"), std::string("weights/../../x"),
        std::string(), std::string("a\0b", 3)}) {
    ExternalModel model(location);
    CHECK_THROWS(Error, read_encoder(model.path(), ""), "outside of the model's directory");
    CHECK(external_data_paths(model.path()).empty());
  }
}

TEST("external data: a length or an offset that is none, or not the shape's, is refused") {
  for (const auto& [key, value] :
       std::vector<std::array<std::string, 2>>{{"length", "3"},
                                               {"offset", "-1"},
                                               {"offset", "1e3"},
                                               {"length", ""},
                                               {"offset", "99999999999999999999"}}) {
    ExternalModel model;
    model.graph.initializer("layer1/up/weight").external_entries = {{key, value}};
    ExternalModel::write(model.path(), test::write_model(model.graph));
    CHECK_THROWS(Error, read_encoder(model.path(), ""),
                 key == "length" && value == "3" ? "bytes, its shape" : "is no number");
  }
}

}  // namespace
}  // namespace gteway
