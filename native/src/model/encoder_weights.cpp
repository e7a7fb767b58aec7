#include "model/encoder_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/error.hpp"

namespace gteway {
namespace {

class Check {
 public:
  Check(const EncoderWeights& weights, const std::string& path) : weights_(weights), path_(path) {}

  void run() const {
    const EncoderConfig& config = weights_.config;
    if (weights_.layers.size() != config.layers || config.layers == 0)
      fail("it has " + std::to_string(weights_.layers.size()) + " layers, its configuration says " +
           std::to_string(config.layers));
    table("word table", weights_.words, config.vocabulary);
    if (config.has_positions) table("position table", weights_.positions, position_rows(config));
    if (config.token_types > 0) table("token type table", weights_.token_types, config.token_types);
    if (!config.attention.empty() && config.attention.size() != config.layers)
      fail("it says of " + std::to_string(config.attention.size()) + " layers what they attend to, and has " +
           std::to_string(config.layers));
    if (weights_.relative_bias.table.elements > 0)
      shape("relative bias", weights_.relative_bias.table, weights_.relative_bias.buckets, config.heads);
    norm("embedding norm", weights_.embedding_norm);
    for (size_t i = 0; i < weights_.layers.size(); ++i) {
      const EncoderLayer& layer = weights_.layers[i];
      const std::string at = "layer " + std::to_string(i) + "'s ";
      linear(at + "queries", layer.query, config.hidden, config.hidden);
      linear(at + "keys", layer.key, config.hidden, config.hidden);
      linear(at + "values", layer.value, config.hidden, config.hidden);
      linear(at + "attention output", layer.attention_output, config.hidden, config.hidden);
      // Where there is none, the first layer reads what the embeddings' norm left.
      if (i > 0 || config.norm_place == NormPlace::kPost || layer.attention_norm.gamma.elements > 0)
        norm(at + "attention norm", layer.attention_norm);
      if (config.gated) linear(at + "feed-forward gate", layer.gate, config.hidden, config.intermediate);
      linear(at + "first feed-forward product", layer.up, config.hidden, config.intermediate);
      linear(at + "second feed-forward product", layer.down, config.intermediate, config.hidden);
      norm(at + "output norm", layer.output_norm);
    }
    if (config.norm_place == NormPlace::kPre) norm("final norm", weights_.final_norm);
    if (!weights_.head) return;
    const ClassificationHead& head = *weights_.head;
    linear("head's dense layer", head.dense, config.hidden, head.dense.out);
    if (head.norm.gamma.elements > 0) norm("head's norm", head.norm, head.dense.out);
    linear("classifier", head.classifier, head.dense.out, head.classifier.out);
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::kModelInvalid, path_ + ": " + reason);
  }

  void shape(const std::string& what, const Tensor& tensor, size_t rows, size_t columns) const {
    if (rows == 0 || columns == 0 || rows > std::numeric_limits<size_t>::max() / columns ||
        tensor.elements != rows * columns)
      fail("the " + what + " has " + std::to_string(tensor.elements) + " elements and should have " +
           std::to_string(rows) + " × " + std::to_string(columns));
  }

  void table(const std::string& what, const Tensor& tensor, size_t rows) const {
    if (rows == 0) fail("the " + what + " has no row");
    shape(what, tensor, rows, weights_.config.hidden);
  }

  void norm(const std::string& what, const LayerNorm& layer) const {
    norm(what, layer, weights_.config.hidden);
  }
  void norm(const std::string& what, const LayerNorm& layer, size_t size) const {
    shape(what + " (gamma)", layer.gamma, 1, size);
    if (layer.beta.elements > 0) shape(what + " (beta)", layer.beta, 1, size);
  }

  void linear(const std::string& what, const Linear& layer, size_t in, size_t out) const {
    if (layer.in != in || layer.out != out)
      fail("the " + what + " go from " + std::to_string(layer.in) + " to " + std::to_string(layer.out) +
           " values and not from " + std::to_string(in) + " to " + std::to_string(out));
    shape(what, layer.weight, in, layer.stored_width());
    if (layer.first_out > layer.stored_width() || out > layer.stored_width() - layer.first_out)
      fail("the " + what + " are no columns of what they are part of");
    if (layer.bias.elements > 0) shape(what + " (bias)", layer.bias, 1, out);
  }

  const EncoderWeights& weights_;
  const std::string& path_;
};

}  // namespace

Linear Linear::columns(size_t first, size_t count) const {
  Linear part = *this;
  part.out = count;
  if (out_major) {
    part.weight = weight.part(first * in, count * in);
  } else {
    part.stored_out = stored_width();
    part.first_out = first_out + first;
  }
  if (bias.elements > 0) part.bias = bias.part(first, count);
  return part;
}

const LayerAttention& EncoderConfig::attention_of(size_t layer) const {
  static const LayerAttention& everywhere = *new LayerAttention();
  return attention.empty() ? everywhere : attention[layer];
}

size_t relative_bucket(int64_t distance, size_t buckets) {
  const size_t half = buckets / 2, exact = half / 2;
  const size_t side = distance > 0 ? half : 0;
  const auto away = static_cast<size_t>(std::llabs(distance));
  if (away < exact) return side + away;
  // In float32, as PyTorch: at some distances the last bit decides.
  constexpr double kFarthest = 128;
  const float octaves = std::log(static_cast<float>(away) / static_cast<float>(exact)) /
                        static_cast<float>(std::log(kFarthest / static_cast<double>(exact)));
  const auto wide = static_cast<size_t>(octaves * static_cast<float>(half - exact));
  return side + std::min(exact + wide, half - 1);
}

std::vector<float> rotary_rotation(double base, size_t head_size) {
  std::vector<float> rotation(head_size / 2);
  for (size_t i = 0; i < rotation.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_size);
    rotation[i] = 1 / std::pow(static_cast<float>(base), exponent);
  }
  return rotation;
}

bool is_bert(const EncoderWeights& weights) {
  const EncoderConfig& config = weights.config;
  const auto has_bias = [](const Linear& layer) { return layer.bias.elements > 0 && layer.stored_out == 0; };
  const auto has_beta = [](const LayerNorm& norm) { return norm.beta.elements > 0; };
  const bool is_one =
      config.has_positions && !config.padding_id && config.token_types > 0 &&
      config.norm_place == NormPlace::kPost && !config.gated &&
      (config.activation == Activation::kGeluErf || config.activation == Activation::kGeluTanh) &&
      config.attention.empty() && weights.relative_bias.table.elements == 0 &&
      has_beta(weights.embedding_norm);
  return is_one && std::all_of(weights.layers.begin(), weights.layers.end(), [&](const EncoderLayer& layer) {
           return has_bias(layer.query) && has_bias(layer.key) && has_bias(layer.value) &&
                  has_bias(layer.attention_output) && has_bias(layer.up) && has_bias(layer.down) &&
                  has_beta(layer.attention_norm) && has_beta(layer.output_norm);
         });
}

void check_encoder_weights(const EncoderWeights& weights, const std::string& path) {
  Check(weights, path).run();
}

}  // namespace gteway
