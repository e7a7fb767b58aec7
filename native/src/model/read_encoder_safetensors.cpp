// Names are those of transformers' BertModel, alone or inside another model ("bert.", "model."). Every tensor
// must be known: one that is not would mean a network that computes something else.
#include "model/read_encoder_safetensors.hpp"

#include <array>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/in_quotes.hpp"
#include "model/encoder_config.hpp"
#include "model/safetensors.hpp"

namespace gteway {
namespace {

constexpr std::array<std::string_view, 3> kPrefixes = {"", "bert.", "model."};

// Parts of a checkpoint that token vectors do not pass through: the pooler, heads of the pre-training tasks
// and of classifiers, and buffers.
bool is_beside_the_encoder(std::string_view name) {
  for (const std::string_view part : {"pooler.dense.", "cls.", "classifier.", "qa_outputs."})
    if (name.starts_with(part)) return true;
  return name == "embeddings.position_ids" || name == "embeddings.token_type_ids";
}

class Reader {
 public:
  Reader(std::shared_ptr<const File> file, const EncoderConfig& config)
      : path_(file->path()), file_(read_safetensors(std::move(file))), config_(config) {}

  EncoderWeights read() {
    find_prefix();
    EncoderWeights weights;
    weights.config = config_;
    const size_t hidden = config_.hidden, intermediate = config_.intermediate;
    weights.words = take("embeddings.word_embeddings.weight", {config_.vocabulary, hidden});
    weights.positions = take("embeddings.position_embeddings.weight", {config_.positions, hidden});
    weights.token_types = take("embeddings.token_type_embeddings.weight", {config_.token_types, hidden});
    weights.embedding_norm = norm("embeddings.LayerNorm");
    for (size_t i = 0; i < config_.layers; ++i) {
      const std::string at = "encoder.layer." + std::to_string(i) + ".";
      EncoderLayer layer;
      layer.query = linear(at + "attention.self.query", hidden, hidden);
      layer.key = linear(at + "attention.self.key", hidden, hidden);
      layer.value = linear(at + "attention.self.value", hidden, hidden);
      layer.attention_output = linear(at + "attention.output.dense", hidden, hidden);
      layer.attention_norm = norm(at + "attention.output.LayerNorm");
      layer.up = linear(at + "intermediate.dense", hidden, intermediate);
      layer.down = linear(at + "output.dense", intermediate, hidden);
      layer.output_norm = norm(at + "output.LayerNorm");
      weights.layers.push_back(layer);
    }
    refuse_unknown();
    weights.files = {file_.file};
    return weights;
  }

 private:
  [[noreturn]] void unsupported(const std::string& reason) const {
    throw Error(ErrorCode::kModelUnsupported, path_ + ": " + reason);
  }

  void find_prefix() {
    const std::string_view* found = nullptr;
    for (const std::string_view& prefix : kPrefixes) {
      if (!file_.tensors.contains(std::string(prefix) + "embeddings.word_embeddings.weight")) continue;
      if (found != nullptr)
        unsupported("it holds two encoders, under '" + std::string(*found) + "' and '" + std::string(prefix) +
                    "'");
      found = &prefix;
    }
    if (found == nullptr)
      unsupported(
          "it has no tensor embeddings.word_embeddings.weight, with or without the prefix 'bert.' or "
          "'model.'");
    prefix_ = *found;
  }

  Tensor take(const std::string& name, const std::vector<size_t>& shape) {
    const auto found = file_.tensors.find(prefix_ + name);
    if (found == file_.tensors.end()) unsupported("tensor " + in_quotes(prefix_ + name) + " is missing");
    const NamedTensor& tensor = found->second;
    if (!tensor.is_float)
      unsupported("tensor " + in_quotes(found->first) + " is " + tensor.dtype +
                  "; the encoder reads F32, F16 and BF16");
    if (tensor.shape != shape)
      unsupported("tensor " + in_quotes(found->first) + " has the shape " + show(tensor.shape) +
                  ", config.json wants " + show(shape));
    taken_.insert(found->first);
    return tensor.tensor;
  }

  Linear linear(const std::string& name, size_t in, size_t out) {
    return {.weight = take(name + ".weight", {out, in}),
            .out_major = true,
            .in = in,
            .out = out,
            .bias = take(name + ".bias", {out})};
  }

  // Checkpoints converted from TensorFlow say gamma and beta.
  LayerNorm norm(const std::string& name) {
    const bool old = file_.tensors.contains(prefix_ + name + ".gamma");
    return {.gamma = take(name + (old ? ".gamma" : ".weight"), {config_.hidden}),
            .beta = take(name + (old ? ".beta" : ".bias"), {config_.hidden})};
  }

  void refuse_unknown() const {
    for (const auto& [name, tensor] : file_.tensors) {
      std::string_view rest = name;
      if (rest.starts_with(prefix_)) rest.remove_prefix(prefix_.size());
      if (taken_.contains(name) || is_beside_the_encoder(rest) || is_beside_the_encoder(name)) continue;
      unsupported("tensor " + in_quotes(name) + " is none that a BERT encoder of " +
                  std::to_string(config_.layers) + " layers has");
    }
  }

  static std::string show(const std::vector<size_t>& shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return text + "]";
  }

  const std::string path_;
  SafetensorsFile file_;
  EncoderConfig config_;
  std::string prefix_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace

EncoderWeights read_encoder_safetensors(std::shared_ptr<const File> file, std::string_view config_json,
                                        const std::string& config_path) {
  return Reader(std::move(file), parse_encoder_config(config_json, config_path)).read();
}

}  // namespace gteway
