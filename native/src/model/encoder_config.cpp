#include "model/encoder_config.hpp"

#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/in_quotes.hpp"
#include "model/json.hpp"

namespace gteway {
namespace {

// Longer texts than any encoder reads; their turns are tabulated.
constexpr size_t kMostPositions = size_t{1} << 16;

class Reader {
 public:
  Reader(const Json& json, const std::string& path) : json_(json), path_(path) {}

  CheckpointConfig read() {
    if (json_.kind != Json::Kind::kObject) invalid("it is not an object");
    config_.family = &family();
    refuse_other_models();
    const CheckpointFamily& family = *config_.family;
    EncoderConfig& config = config_.encoder;
    config.vocabulary = size("vocab_size");
    config.positions = size("max_position_embeddings");
    if (!family.token_types.empty()) config.token_types = size("type_vocab_size");
    config.hidden = size(family.hidden);
    config.layers = size(family.layers);
    config.heads = size(family.heads);
    config.intermediate = size(family.intermediate);
    if (config.heads == 0 || config.hidden % config.heads != 0)
      invalid(std::string(family.hidden) + " " + std::to_string(config.hidden) + " cannot be split into " +
              std::to_string(config.heads) + " heads");
    config.head_size = config.hidden / config.heads;
    config.activation = activation(family.activation, "gelu");
    config.layer_norm_epsilon = family.epsilon.empty()
                                    ? static_cast<float>(family.default_epsilon)
                                    : static_cast<float>(number(family.epsilon, family.default_epsilon));
    config.gated = !family.gate_and_up.empty();
    config.norm_place = family.final_norm.empty() ? NormPlace::kPost : NormPlace::kPre;
    config.has_positions = !family.positions.empty();
    if (family.positions_kind == CheckpointFamily::Positions::kBehindPadding) read_padding();
    if (family.positions_kind == CheckpointFamily::Positions::kTurned) read_turns();
    if (!family.relative_bias.empty()) {
      config_.relative_buckets = size("relative_attention_num_buckets", 32);
      // transformers computes with 32 whatever the table has.
      if (config_.relative_buckets != 32)
        unsupported("relative_attention_num_buckets is " + std::to_string(config_.relative_buckets) +
                    ", not 32");
    }
    if (family.chooses_biases) {
      config_.attention_bias = boolean("attention_bias");
      config_.mlp_bias = boolean("mlp_bias");
      config_.norm_bias = boolean("norm_bias");
      config_.head_bias = boolean("classifier_bias");
    }
    read_head();
    return std::move(config_);
  }

 private:
  [[noreturn]] void invalid(const std::string& reason) const {
    throw Error(ErrorCode::kModelInvalid, path_ + ": " + reason);
  }
  [[noreturn]] void unsupported(const std::string& reason) const {
    throw Error(ErrorCode::kModelUnsupported, path_ + ": " + reason);
  }

  // Null fields count as absent, as in transformers.
  const Json* present(std::string_view name) const { return present(json_, name); }
  static const Json* present(const Json& object, std::string_view name) {
    const Json* value = object.field(name);
    return value == nullptr || value->kind == Json::Kind::kNull ? nullptr : value;
  }

  const CheckpointFamily& family() const {
    const Json* type = present("model_type");
    if (type == nullptr || type->kind != Json::Kind::kString) invalid("model_type is missing");
    const CheckpointFamily* found = find_checkpoint_family(type->string);
    if (found != nullptr) return *found;
    std::string names;
    for (const CheckpointFamily& family : checkpoint_families())
      names += (names.empty() ? "" : ", ") + in_quotes(family.model_type);
    unsupported("model_type is " + in_quotes(type->string) + ", not one of " + names);
  }

  // transformers leaves what its version does not know to its defaults; so these are the fields that change
  // what a model computes.
  void refuse_other_models() const {
    if (present("auto_map") != nullptr) unsupported("auto_map: the model brings its own code");
    if (present("quantization_config") != nullptr)
      unsupported("quantization_config: the weights are quantised");
    for (const char* name : {"is_decoder", "add_cross_attention"})
      if (const Json* value = present(name); value != nullptr && value->boolean)
        unsupported(std::string(name) + " is set");
    if (const Json* heads = present("pruned_heads"); heads != nullptr && !heads->fields.empty())
      unsupported("pruned_heads: heads are missing");
    if (const Json* positions = present("position_embedding_type");
        positions != nullptr && positions->string != "absolute")
      unsupported("position_embedding_type is " + in_quotes(positions->string) + ", not 'absolute'");
    if (present("rope_scaling") != nullptr) unsupported("rope_scaling: positions are scaled");
  }

  size_t size(std::string_view name) const {
    const Json* value = present(name);
    const std::optional<size_t> given = value == nullptr ? std::nullopt : value->size();
    // Bounds keep products of sizes far from overflow; no model comes near them.
    if (!given || *given == 0 || *given > (size_t{1} << 28))
      invalid(std::string(name) + " is missing or no positive whole number");
    return *given;
  }
  size_t size(std::string_view name, size_t fallback) const {
    return present(name) == nullptr ? fallback : size(name);
  }

  bool boolean(std::string_view name) const {
    const Json* value = present(name);
    if (value == nullptr) return false;
    if (value->kind != Json::Kind::kBoolean) invalid(std::string(name) + " is neither true nor false");
    return value->boolean;
  }

  Activation activation(std::string_view field, const char* fallback) const {
    const Json* value = present(field);
    const std::string name = value == nullptr ? fallback : value->string;
    if (name == "gelu" || name == "gelu_python") return Activation::kGeluErf;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast")
      return Activation::kGeluTanh;
    if (name == "silu" || name == "swish") return Activation::kSilu;
    if (name == "relu") return Activation::kRelu;
    unsupported(std::string(field) + " is " + in_quotes(name) + ", no GELU, SiLU or ReLU");
  }

  double number(std::string_view name, double fallback) const { return number(json_, name, fallback); }
  double number(const Json& object, std::string_view name, double fallback) const {
    const Json* value = present(object, name);
    if (value == nullptr) return fallback;
    if (value->kind != Json::Kind::kNumber) invalid(std::string(name) + " is no number");
    return value->number;
  }

  void read_padding() {
    EncoderConfig& config = config_.encoder;
    const double given = config_.family->padding_id ? *config_.family->padding_id : number("pad_token_id", 1);
    const auto id = static_cast<size_t>(given >= 0 && given < static_cast<double>(1 << 28) ? given : 0);
    if (static_cast<double>(id) != given) invalid("pad_token_id is no token");
    if (config.positions <= id + 1)
      invalid("max_position_embeddings " + std::to_string(config.positions) + " leaves no position behind " +
              "that of the padding, " + std::to_string(id));
    config.padding_id = static_cast<int32_t>(id);
    config.positions -= id + 1;
  }

  // Global and local layers, each with the base of its turns. transformers 5 writes other fields than 4.
  void read_turns() {
    if (config_.encoder.positions > kMostPositions)
      unsupported("max_position_embeddings " + std::to_string(config_.encoder.positions) + " is more than " +
                  std::to_string(kMostPositions));
    config_.global_every = size("global_attn_every_n_layers", 3);
    config_.reach = size("local_attention", 128) / 2;
    config_.global_base = number("global_rope_theta", 160'000);
    config_.local_base = number("local_rope_theta", 10'000);
    if (const Json* types = present("layer_types")) {
      if (types->items.size() != config_.encoder.layers)
        invalid("layer_types has " + std::to_string(types->items.size()) + " entries for " +
                std::to_string(config_.encoder.layers) + " layers");
      for (const Json& type : types->items) {
        if (type.string != "full_attention" && type.string != "sliding_attention")
          unsupported("a layer's type is " + in_quotes(type.string));
        config_.layer_is_local.push_back(type.string == "sliding_attention");
      }
    }
    if (const Json* turns = present("rope_parameters")) {
      config_.global_base = turn_base(*turns, "full_attention", config_.global_base);
      config_.local_base = turn_base(*turns, "sliding_attention", config_.local_base);
    }
    for (const double base : {config_.global_base, config_.local_base})
      if (!(base > 1 && base < 1e12)) invalid("a rope_theta of " + std::to_string(base));
  }

  double turn_base(const Json& turns, std::string_view kind, double fallback) const {
    const Json* of_kind = present(turns, kind);
    if (of_kind == nullptr) return fallback;
    if (const Json* type = present(*of_kind, "rope_type"); type != nullptr && type->string != "default")
      unsupported("rope_type is " + in_quotes(type->string) + ", not 'default'");
    for (const char* other : {"factor", "partial_rotary_factor"})
      if (present(*of_kind, other) != nullptr) unsupported("rope_parameters has " + in_quotes(other));
    return number(*of_kind, "rope_theta", fallback);
  }

  void read_head() {
    config_.head_activation = config_.family->head_activation;
    const Json* names = present("architectures");
    if (names == nullptr) return;
    for (const Json& name : names->items)
      config_.classifies = config_.classifies || name.string.ends_with("ForSequenceClassification");
    if (config_.family->head_norm.empty()) return;
    config_.head_activation = activation("classifier_activation", "gelu");
    const Json* pooling = present("classifier_pooling");
    const std::string how = pooling == nullptr ? "cls" : pooling->string;
    if (config_.classifies && how != "cls" && how != "mean")
      unsupported("classifier_pooling is " + in_quotes(how) + ", neither 'cls' nor 'mean'");
    config_.head_mean = how == "mean";
  }

  const Json& json_;
  const std::string& path_;
  CheckpointConfig config_;
};

}  // namespace

LayerAttention CheckpointConfig::attention_of(size_t layer) const {
  if (global_base == 0) return {};
  const bool is_local = layer_is_local.empty() ? layer % global_every != 0 : layer_is_local[layer];
  return {.reach = is_local ? reach : LayerAttention::kEverywhere,
          .rotation = rotary_rotation(is_local ? local_base : global_base, encoder.head_size)};
}

CheckpointConfig parse_encoder_config(std::string_view text, const std::string& path) {
  return Reader(parse_json(text, path), path).read();
}

void check_encoder_config(const EncoderConfig& config, const std::string& path) {
  const auto unsupported = [&](const std::string& reason) {
    throw Error(ErrorCode::kModelUnsupported, path + ": " + reason);
  };
  if (config.head_size != 32 && config.head_size != 64)
    unsupported("a head has " + std::to_string(config.head_size) +
                " values; the encoder computes heads of 32 and 64");
  if (config.heads == 0 || config.heads * config.head_size != config.hidden)
    unsupported(std::to_string(config.heads) + " heads of " + std::to_string(config.head_size) +
                " values are not the hidden size, " + std::to_string(config.hidden));
  if (config.hidden % 32 != 0)
    unsupported("hidden size " + std::to_string(config.hidden) + " is no multiple of 32");
  if (config.intermediate == 0 || config.intermediate % 32 != 0)
    unsupported("intermediate size " + std::to_string(config.intermediate) + " is no multiple of 32");
  if (!(config.layer_norm_epsilon > 0 && config.layer_norm_epsilon <= 1e-2F))
    unsupported("LayerNorm's epsilon " + std::to_string(config.layer_norm_epsilon) +
                " is not above 0 and at most 0.01");
}

}  // namespace gteway
