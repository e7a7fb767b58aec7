// config.json of an encoder, as its engines understand it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint_family.hpp"
#include "model/encoder_weights.hpp"

namespace gteway {

// What config.json says. Of each layer it is expanded only where its tensors are found: what a file claims
// costs nothing.
struct CheckpointConfig {
  const CheckpointFamily* family = nullptr;
  EncoderConfig encoder;  // without `attention`

  // Where positions are turned
  std::vector<bool> layer_is_local{};  // as listed; empty: every layer but each `global_every`th
  size_t global_every = 1;
  size_t reach = LayerAttention::kEverywhere;  // of the local ones
  double global_base = 0, local_base = 0;
  size_t relative_buckets = 0;

  bool attention_bias = true, mlp_bias = true, norm_bias = true, head_bias = true;

  bool classifies = false;  // it is a …ForSequenceClassification
  Activation head_activation = Activation::kTanh;
  bool head_mean = false;

  LayerAttention attention_of(size_t layer) const;
};

// `text` is the content of config.json, `path` its name for messages. Throws Error: kModelUnsupported where a
// field asks for what the encoder does not compute, kModelInvalid where a needed field is missing or
// malformed.
CheckpointConfig parse_encoder_config(std::string_view text, const std::string& path);

// What `config` itself must fulfil, wherever it comes from. Throws Error{kModelUnsupported}.
void check_encoder_config(const EncoderConfig& config, const std::string& path);

}  // namespace gteway
