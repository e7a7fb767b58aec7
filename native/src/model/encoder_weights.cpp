#include "model/encoder_weights.hpp"

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
    table("position table", weights_.positions, config.positions);
    table("token type table", weights_.token_types, config.token_types);
    norm("embedding norm", weights_.embedding_norm);
    for (size_t i = 0; i < weights_.layers.size(); ++i) {
      const EncoderLayer& layer = weights_.layers[i];
      const std::string at = "layer " + std::to_string(i) + "'s ";
      linear(at + "queries", layer.query, config.hidden, config.hidden);
      linear(at + "keys", layer.key, config.hidden, config.hidden);
      linear(at + "values", layer.value, config.hidden, config.hidden);
      linear(at + "attention output", layer.attention_output, config.hidden, config.hidden);
      norm(at + "attention norm", layer.attention_norm);
      linear(at + "first feed-forward product", layer.up, config.hidden, config.intermediate);
      linear(at + "second feed-forward product", layer.down, config.intermediate, config.hidden);
      norm(at + "output norm", layer.output_norm);
    }
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
    shape(what + " (gamma)", layer.gamma, 1, weights_.config.hidden);
    shape(what + " (beta)", layer.beta, 1, weights_.config.hidden);
  }

  void linear(const std::string& what, const Linear& layer, size_t in, size_t out) const {
    if (layer.in != in || layer.out != out)
      fail("the " + what + " go from " + std::to_string(layer.in) + " to " + std::to_string(layer.out) +
           " values and not from " + std::to_string(in) + " to " + std::to_string(out));
    shape(what, layer.weight, in, out);
    shape(what + " (bias)", layer.bias, 1, out);
  }

  const EncoderWeights& weights_;
  const std::string& path_;
};

}  // namespace

void check_encoder_weights(const EncoderWeights& weights, const std::string& path) {
  Check(weights, path).run();
}

}  // namespace gteway
