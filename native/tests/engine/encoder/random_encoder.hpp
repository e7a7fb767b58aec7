// Encoders with made-up weights, of any shape.
#pragma once

#include <cmath>
#include <deque>
#include <random>
#include <vector>

#include "engine/encoder/sharing.hpp"
#include "model/encoder_weights.hpp"

namespace gteway::test {

// As many threads as are offered, however small a model is and however few processors there are.
constexpr Sharing kShareAll{.processors = 64, .least_share = 1};

// Owns the numbers its `weights` point to.
class RandomEncoder {
 public:
  RandomEncoder(const EncoderConfig& config, bool out_major, uint32_t seed = 1) : generator_(seed) {
    const size_t hidden = config.hidden;
    weights.config = config;
    weights.words = make(config.vocabulary * hidden, 0.05F);
    if (config.has_positions) weights.positions = make(position_rows(config) * hidden, 0.02F);
    if (config.token_types > 0) weights.token_types = make(config.token_types * hidden, 0.02F);
    weights.embedding_norm = norm(hidden);
    for (size_t i = 0; i < config.layers; ++i) {
      EncoderLayer layer;
      layer.query = linear(hidden, hidden, out_major);
      layer.key = linear(hidden, hidden, out_major);
      layer.value = linear(hidden, hidden, out_major);
      layer.attention_output = linear(hidden, hidden, out_major);
      layer.attention_norm = norm(hidden);
      if (config.gated) layer.gate = linear(hidden, config.intermediate, out_major);
      layer.up = linear(hidden, config.intermediate, out_major);
      layer.down = linear(config.intermediate, hidden, out_major);
      layer.output_norm = norm(hidden);
      weights.layers.push_back(layer);
    }
    if (config.norm_place == NormPlace::kPre) weights.final_norm = norm(hidden);
  }

  // A bias for every distance, as MPNet adds one to its scores.
  void add_relative_bias(size_t buckets) {
    weights.relative_bias = {make(buckets * weights.config.heads, 0.5F), buckets};
  }
  void add_head(size_t labels, bool mean, Activation activation, bool has_norm) {
    const size_t hidden = weights.config.hidden;
    weights.head = {.mean = mean,
                    .dense = linear(hidden, hidden, true),
                    .activation = activation,
                    .norm = has_norm ? norm(hidden) : LayerNorm{},
                    .classifier = linear(hidden, labels, true)};
  }
  // As ModernBERT's.
  void remove_biases() {
    weights.embedding_norm.beta = weights.final_norm.beta = {};
    for (EncoderLayer& layer : weights.layers) {
      for (Linear* part : {&layer.query, &layer.key, &layer.value, &layer.attention_output, &layer.gate,
                           &layer.up, &layer.down})
        part->bias = {};
      layer.attention_norm.beta = layer.output_norm.beta = {};
    }
    weights.layers[0].attention_norm = {};
  }
  RandomEncoder(const RandomEncoder&) = delete;
  RandomEncoder& operator=(const RandomEncoder&) = delete;

  // The numbers behind a tensor, to be spoilt.
  std::vector<float>& numbers(const Tensor& tensor) {
    for (std::vector<float>& values : storage_)
      if (reinterpret_cast<const std::byte*>(values.data()) == tensor.data) return values;
    return storage_.front();
  }

  EncoderWeights weights;

 private:
  Tensor make(size_t count, float deviation, float mean = 0) {
    std::normal_distribution<float> normal(mean, deviation);
    std::vector<float>& values = storage_.emplace_back(count);
    for (float& value : values) value = normal(generator_);
    return {reinterpret_cast<const std::byte*>(values.data()), ElementType::kF32, count};
  }
  LayerNorm norm(size_t dims) { return {make(dims, 0.1F, 1), make(dims, 0.1F)}; }
  Linear linear(size_t in, size_t out, bool out_major) {
    return {
        make(in * out, 1.2F / std::sqrt(static_cast<float>(in))), out_major, in, out, make(out, 0.1F), 0, 0};
  }

  std::mt19937 generator_;
  std::deque<std::vector<float>> storage_;
};

}  // namespace gteway::test
