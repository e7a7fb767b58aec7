// Names are those of transformers, alone or inside another model ("bert.", "model."). Every tensor must be
// known: one that is not would mean a network that computes something else.
#include "model/read_encoder_safetensors.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/in_quotes.hpp"
#include "model/encoder_config.hpp"
#include "model/safetensors.hpp"

namespace gteway {
namespace {

class Reader {
 public:
  Reader(std::shared_ptr<const File> file, CheckpointConfig config)
      : path_(file->path()),
        file_(read_safetensors(std::move(file))),
        checkpoint_(std::move(config)),
        family_(*checkpoint_.family),
        config_(checkpoint_.encoder) {}

  EncoderWeights read() {
    find_prefix();
    EncoderWeights weights;
    const size_t hidden = config_.hidden;
    weights.words = take(name_of(family_.words, ".weight"), {config_.vocabulary, hidden});
    if (config_.has_positions)
      weights.positions = take(name_of(family_.positions, ".weight"), {position_rows(config_), hidden});
    if (config_.token_types > 0)
      weights.token_types = take(name_of(family_.token_types, ".weight"), {config_.token_types, hidden});
    weights.embedding_norm = norm(name_of(family_.embedding_norm), checkpoint_.norm_bias, hidden);
    if (!family_.relative_bias.empty()) {
      weights.relative_bias.buckets = checkpoint_.relative_buckets;
      weights.relative_bias.table =
          take(name_of(family_.relative_bias, ".weight"), {checkpoint_.relative_buckets, config_.heads});
    }
    for (size_t i = 0; i < config_.layers; ++i) {
      const std::string at = prefix_ + std::string(family_.layer) + std::to_string(i) + ".";
      weights.layers.push_back(layer(at, i == 0));
      if (family_.positions_kind == CheckpointFamily::Positions::kTurned)
        config_.attention.push_back(checkpoint_.attention_of(i));
    }
    if (!family_.final_norm.empty())
      weights.final_norm = norm(name_of(family_.final_norm), checkpoint_.norm_bias, hidden);
    if (checkpoint_.classifies) weights.head = head();
    refuse_unknown();
    weights.config = config_;
    weights.files = {file_.file};
    return weights;
  }

 private:
  [[noreturn]] void unsupported(const std::string& reason) const {
    throw Error(ErrorCode::kModelUnsupported, path_ + ": " + reason);
  }

  void find_prefix() {
    const std::string words = std::string(family_.words) + ".weight";
    const std::string_view* found = nullptr;
    std::string all;
    for (const std::string_view& prefix : family_.prefixes) {
      if (!prefix.empty()) all += (all.empty() ? "" : " or ") + in_quotes(prefix);
      if (!file_.tensors.contains(std::string(prefix) + words)) continue;
      if (found != nullptr)
        unsupported("it holds two encoders, under '" + std::string(*found) + "' and '" + std::string(prefix) +
                    "'");
      found = &prefix;
    }
    if (found == nullptr) unsupported("it has no tensor " + words + ", with or without the prefix " + all);
    prefix_ = *found;
  }

  std::string name_of(std::string_view tensor, const char* suffix = "") const {
    return prefix_ + std::string(tensor) + suffix;
  }

  EncoderLayer layer(const std::string& at, bool is_first) {
    const size_t hidden = config_.hidden, intermediate = config_.intermediate;
    const bool attention_bias = checkpoint_.attention_bias, mlp_bias = checkpoint_.mlp_bias;
    const auto called = [&](std::string_view name) { return at + std::string(name); };
    EncoderLayer layer;
    if (family_.queries_keys_values.empty()) {
      layer.query = linear(called(family_.query), attention_bias, hidden, hidden);
      layer.key = linear(called(family_.key), attention_bias, hidden, hidden);
      layer.value = linear(called(family_.value), attention_bias, hidden, hidden);
    } else {
      const Linear all = linear(called(family_.queries_keys_values), attention_bias, hidden, 3 * hidden);
      layer.query = all.columns(0, hidden);
      layer.key = all.columns(hidden, hidden);
      layer.value = all.columns(2 * hidden, hidden);
    }
    layer.attention_output = linear(called(family_.attention_output), attention_bias, hidden, hidden);
    // ModernBERT's first layer reads what the embeddings' norm left.
    if (!is_first || config_.norm_place == NormPlace::kPost)
      layer.attention_norm = norm(called(family_.attention_norm), checkpoint_.norm_bias, hidden);
    if (config_.gated) {
      const Linear both = linear(called(family_.gate_and_up), mlp_bias, hidden, 2 * intermediate);
      layer.gate = both.columns(0, intermediate);
      layer.up = both.columns(intermediate, intermediate);
    } else {
      layer.up = linear(called(family_.up), mlp_bias, hidden, intermediate);
    }
    layer.down = linear(called(family_.down), mlp_bias, intermediate, hidden);
    layer.output_norm = norm(called(family_.output_norm), checkpoint_.norm_bias, hidden);
    return layer;
  }

  // BERT's pooler belongs to the encoder, other heads lie beside it.
  std::string head_name(std::string_view part) const {
    const std::string inside = name_of(part);
    return file_.tensors.contains(inside + ".weight") ? inside : std::string(part);
  }

  ClassificationHead head() {
    const size_t hidden = config_.hidden;
    ClassificationHead head{
        .mean = checkpoint_.head_mean,
        .dense = linear(head_name(family_.head_dense), checkpoint_.head_bias, hidden, hidden),
        .activation = checkpoint_.head_activation,
        .norm = {},
        .classifier = {}};
    if (!family_.head_norm.empty())
      head.norm = norm(head_name(family_.head_norm), checkpoint_.norm_bias, hidden);
    const std::string classifier = head_name(family_.classifier);
    const auto found = file_.tensors.find(classifier + ".weight");
    if (found == file_.tensors.end())
      unsupported("tensor " + in_quotes(classifier + ".weight") + " is missing");
    const std::vector<size_t>& shape = found->second.shape;
    head.classifier = linear(classifier, true, hidden, shape.empty() ? 0 : shape[0]);
    return head;
  }

  Tensor take(const std::string& name, const std::vector<size_t>& shape) {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) unsupported("tensor " + in_quotes(name) + " is missing");
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

  Linear linear(const std::string& name, bool has_bias, size_t in, size_t out) {
    return {.weight = take(name + ".weight", {out, in}),
            .out_major = true,
            .in = in,
            .out = out,
            .bias = has_bias ? take(name + ".bias", {out}) : Tensor{},
            .stored_out = 0,
            .first_out = 0};
  }

  // Checkpoints converted from TensorFlow say gamma and beta.
  LayerNorm norm(const std::string& name, bool has_beta, size_t size) {
    const bool old = file_.tensors.contains(name + ".gamma");
    return {.gamma = take(name + (old ? ".gamma" : ".weight"), {size}),
            .beta = has_beta ? take(name + (old ? ".beta" : ".bias"), {size}) : Tensor{}};
  }

  // Parts of a checkpoint that token vectors do not pass through, and buffers.
  bool is_beside_the_encoder(std::string_view name) const {
    return name == "embeddings.position_ids" || name == "embeddings.token_type_ids" ||
           std::any_of(family_.beside.begin(), family_.beside.end(),
                       [&](std::string_view part) { return name.starts_with(part); });
  }

  void refuse_unknown() const {
    for (const auto& [name, tensor] : file_.tensors) {
      std::string_view rest = name;
      if (rest.starts_with(prefix_)) rest.remove_prefix(prefix_.size());
      if (taken_.contains(name) || is_beside_the_encoder(rest) || is_beside_the_encoder(name)) continue;
      unsupported("tensor " + in_quotes(name) + " is none that an encoder of " +
                  std::to_string(config_.layers) + " layers and the model_type " +
                  in_quotes(family_.model_type) + " has");
    }
  }

  static std::string show(const std::vector<size_t>& shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return text + "]";
  }

  const std::string path_;
  SafetensorsFile file_;
  CheckpointConfig checkpoint_;
  const CheckpointFamily& family_;
  EncoderConfig config_;
  std::string prefix_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace

EncoderWeights read_encoder_safetensors(std::shared_ptr<const File> file, std::string_view config_json,
                                        const std::string& config_path) {
  CheckpointConfig config = parse_encoder_config(config_json, config_path);
  check_encoder_config(config.encoder, config_path);
  return Reader(std::move(file), std::move(config)).read();
}

}  // namespace gteway
