// The families of checkpoints that are read: what config.json calls a size, and what a tensor is called, by
// model_type. A family whose layers are described by EncoderConfig is one more row of the table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/encoder_weights.hpp"

namespace gteway {

struct CheckpointFamily {
  std::string_view model_type;
  std::span<const std::string_view> prefixes;  // of the encoder's tensors, inside another model

  // Fields of config.json
  std::string_view hidden = "hidden_size", layers = "num_hidden_layers", heads = "num_attention_heads",
                   intermediate = "intermediate_size", activation = "hidden_act",
                   epsilon = "layer_norm_eps";  // empty: none, the default holds
  double default_epsilon = 1e-12;
  enum class Positions { kFromZero, kBehindPadding, kTurned } positions_kind = Positions::kFromZero;
  std::optional<int32_t> padding_id{};  // where config.json does not decide it
  bool chooses_biases = false;  // attention_bias, mlp_bias, norm_bias and classifier_bias say which there are

  // Tensors, without ".weight". Empty: there is none.
  std::string_view words = "embeddings.word_embeddings";
  std::string_view positions = "embeddings.position_embeddings";
  std::string_view token_types = "embeddings.token_type_embeddings";
  std::string_view embedding_norm = "embeddings.LayerNorm";
  std::string_view relative_bias{};
  std::string_view layer = "encoder.layer.";  // and the number, and '.'
  std::string_view query{}, key{}, value{};
  std::string_view queries_keys_values{};  // one below the other, instead
  std::string_view attention_output{}, attention_norm{};
  std::string_view up{}, down{};
  std::string_view gate_and_up{};  // one below the other, instead of `up`
  std::string_view output_norm{};
  std::string_view final_norm{};

  // Of …ForSequenceClassification
  std::string_view head_dense{}, head_norm{}, classifier{};
  Activation head_activation = Activation::kTanh;

  // Beginnings of what token vectors do not pass through: poolers, heads of pre-training and classifiers.
  std::span<const std::string_view> beside{};
};

// Null where there is none.
const CheckpointFamily* find_checkpoint_family(std::string_view model_type) noexcept;

// All there are, for messages: 'bert', 'roberta', …
std::span<const CheckpointFamily> checkpoint_families() noexcept;

}  // namespace gteway
