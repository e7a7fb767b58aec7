// The models of ../shared/models/families, where they lie beside the checkout: their expected.jsonl has token
// ids, and the float64 vectors or logits that transformers made of them.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "engine/encoder/encoder_loading.hpp"
#include "model/json.hpp"
#include "model/read_encoder.hpp"
#include "test.hpp"

using namespace gteway;
using namespace gteway::test;
namespace fs = std::filesystem;

namespace {

// Tests are run in the checkout or in its build.
fs::path families() {
  fs::path at = fs::current_path();
  for (int up = 0; up < 4; ++up, at = at.parent_path())
    if (fs::is_directory(at / "shared/models/families")) return at / "shared/models/families";
  SKIP("there is no ../shared/models/families");
}

std::vector<int32_t> integers(const Json* list) {
  std::vector<int32_t> values;
  for (const Json& item : list->items) values.push_back(static_cast<int32_t>(item.number));
  return values;
}

template <class Each>
void for_each_expected(const fs::path& model, Each each) {
  std::ifstream lines(model / "expected.jsonl");
  CHECK(lines.good());
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) each(parse_json(line, "expected.jsonl"));
  CHECK(count > 0);
}

bool pools_first(const fs::path& model) {
  std::ifstream file(model / "1_Pooling/config.json");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const Json json = parse_json(text, "1_Pooling");
  const Json* cls = json.field("pooling_mode_cls_token");
  return cls != nullptr && cls->boolean;
}

double least_cosine(Engine& engine, const fs::path& model) {
  const Pooling pooling = pools_first(model) ? Pooling::kCls : Pooling::kMean;
  double least = 1;
  for_each_expected(model, [&](const Json& line) {
    const std::vector<int32_t> ids = integers(line.field("ids"));
    const uint32_t offsets[] = {0, static_cast<uint32_t>(ids.size())};
    std::vector<float> out(engine.info().dimensions);
    engine.embed({ids, offsets}, pooling, true, 1, out);
    const std::vector<Json>& expected = line.field("vector")->items;
    CHECK_EQ(expected.size(), out.size());
    double dot = 0, square = 0, other = 0;
    for (size_t d = 0; d < out.size(); ++d) {
      const auto x = static_cast<double>(out[d]);
      dot += x * expected[d].number;
      square += x * x;
      other += expected[d].number * expected[d].number;
    }
    const double cosine = dot / std::sqrt(square * other);
    least = cosine < least || cosine != cosine ? cosine : least;
  });
  return least;
}

double largest_error(Engine& engine, const fs::path& model) {
  double largest = 0;
  for_each_expected(model, [&](const Json& line) {
    const std::vector<int32_t> ids = integers(line.field("ids")), types = integers(line.field("type_ids"));
    const uint32_t offsets[] = {0, static_cast<uint32_t>(ids.size())};
    std::vector<float> out(engine.info().labels);
    engine.embed({ids, offsets, types}, Pooling::kScore, false, 1, out);
    const std::vector<Json>& expected = line.field("score")->items;
    CHECK_EQ(expected.size(), out.size());
    for (size_t i = 0; i < out.size(); ++i) {
      const double error = std::fabs(static_cast<double>(out[i]) - expected[i].number);
      largest = error > largest || error != error ? error : largest;
    }
  });
  return largest;
}

struct Bound {
  const char* dtype;
  double cosine, error;
};
constexpr Bound kBounds[] = {{"fp32", 0.999999, 1e-5}, {"bf16", 0.9999, 0.05}, {"int8", 0.999, 0.1}};

void check_family(const std::string& name, const std::string& file, const Bound& bound) {
  const fs::path model = families() / name;
  const EncoderWeights weights = read_encoder((model / file).string(), (model / "config.json").string());
  if (const auto reason = encoder_unavailable(weights.config, bound.dtype)) SKIP(*reason);
  const auto engine = make_encoder(weights, {.dtype = bound.dtype, .threads = 1, .max_batch_tokens = 0});
  check_encoder(*engine, weights, bound.dtype);
  if (name.ends_with("reranker")) {
    const double error = largest_error(*engine, model);
    std::cout << "  " << name << ", " << file << ", " << bound.dtype << ": largest error " << error << "\n";
    if (!(error <= bound.error)) fail(__FILE__, __LINE__, "a logit is off by " + show(error));
  } else {
    const double cosine = least_cosine(*engine, model);
    std::cout << "  " << name << ", " << file << ", " << bound.dtype << ": least cosine " << show(cosine)
              << "\n";
    if (!(cosine >= bound.cosine)) fail(__FILE__, __LINE__, "the least cosine is " + show(cosine));
  }
}

[[maybe_unused]] const bool added = [] {
  for (const std::string name : {"xlm-roberta", "roberta", "mpnet", "distilbert", "modernbert",
                                 "bert-reranker", "xlm-roberta-reranker", "modernbert-reranker"})
    for (const std::string file : {"model.safetensors", "onnx/model.onnx"})
      for (const Bound& bound : kBounds)
        add("families: " + name + " from " + file + " [" + bound.dtype + "]",
            [name, file, bound] { check_family(name, file, bound); });
  return true;
}();

}  // namespace
