// What every engine does with an encoder that was read: nothing of it may fail in another way than by an
// Error.
#pragma once

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "fuzz/input.hpp"
#include "model/encoder_config.hpp"
#include "model/encoder_weights.hpp"

namespace gteway::fuzz {

// Reads the first and the last elements of a tensor, and sees that there are no more.
inline void use(const Tensor& tensor) {
  std::vector<float> some(std::min<size_t>(tensor.elements, 300));
  tensor.read(0, some.size(), some.data());
  tensor.read(tensor.elements - some.size(), some.size(), some.data());
  bool refused = false;
  try {
    tensor.read(tensor.elements, 1, some.data());
  } catch (const Error&) {
    refused = true;
  }
  expect(refused, "an element behind the last one was read");
}

inline void use_if_any(const Tensor& tensor) {
  if (tensor.elements > 0) use(tensor);
}

inline void use(const Linear& layer) {
  use(layer.weight);
  use_if_any(layer.bias);
}

inline void use(const LayerNorm& layer) {
  use(layer.gamma);
  use_if_any(layer.beta);
}

// Throws Error where the model is refused.
inline void use(const EncoderWeights& weights) {
  check_encoder_config(weights.config, "model");
  check_encoder_weights(weights, "model");
  const EncoderConfig& config = weights.config;
  expect(config.vocabulary > 0 && config.positions > 0, "a table without a row passed the checks");
  expect(config.token_types == 0 || weights.token_types.elements >= config.hidden,
         "row 0 of the token types is not there");
  expect(config.attention.empty() || config.attention.size() == weights.layers.size(),
         "layers do not know what they attend to");
  use(weights.words);
  for (const Tensor* table : {&weights.positions, &weights.token_types, &weights.relative_bias.table})
    use_if_any(*table);
  use(weights.embedding_norm);
  if (weights.final_norm.gamma.elements > 0) use(weights.final_norm);
  if (weights.head) {
    use(weights.head->dense);
    use(weights.head->classifier);
    if (weights.head->norm.gamma.elements > 0) use(weights.head->norm);
  }
  for (const EncoderLayer& layer : weights.layers) {
    for (const Linear* part :
         {&layer.query, &layer.key, &layer.value, &layer.attention_output, &layer.up, &layer.down})
      use(*part);
    if (config.gated) use(layer.gate);
    if (layer.attention_norm.gamma.elements > 0) use(layer.attention_norm);
    use(layer.output_norm);
  }
}

inline void expect_refusal(const Error& error) {
  expect(error.code == ErrorCode::kModelInvalid || error.code == ErrorCode::kModelUnsupported,
         "an unexpected error");
  expect(std::string_view(error.what()).size() < 4096, "an error of pages");
}

}  // namespace gteway::fuzz
