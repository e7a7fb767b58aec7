#include "model/encoder_config.hpp"

#include <optional>

#include "base/error.hpp"
#include "base/in_quotes.hpp"
#include "model/json.hpp"

namespace gteway {
namespace {

class Reader {
 public:
  Reader(const Json& json, const std::string& path) : json_(json), path_(path) {}

  EncoderConfig read() {
    if (json_.kind != Json::Kind::kObject) invalid("it is not an object");
    refuse_other_models();
    EncoderConfig config;
    config.vocabulary = size("vocab_size");
    config.positions = size("max_position_embeddings");
    config.token_types = size("type_vocab_size");
    config.hidden = size("hidden_size");
    config.layers = size("num_hidden_layers");
    config.heads = size("num_attention_heads");
    config.intermediate = size("intermediate_size");
    if (config.heads == 0 || config.hidden % config.heads != 0)
      invalid("hidden_size " + std::to_string(config.hidden) + " cannot be split into " +
              std::to_string(config.heads) + " heads");
    config.head_size = config.hidden / config.heads;
    config.activation = activation();
    config.layer_norm_epsilon = epsilon();
    return config;
  }

 private:
  [[noreturn]] void invalid(const std::string& reason) const {
    throw Error(ErrorCode::kModelInvalid, path_ + ": " + reason);
  }
  [[noreturn]] void unsupported(const std::string& reason) const {
    throw Error(ErrorCode::kModelUnsupported, path_ + ": " + reason);
  }

  // Null fields count as absent, as in transformers.
  const Json* present(std::string_view name) const {
    const Json* value = json_.field(name);
    return value == nullptr || value->kind == Json::Kind::kNull ? nullptr : value;
  }

  // transformers leaves what its version does not know to its defaults; so these are the fields that change
  // what a BertModel computes.
  void refuse_other_models() const {
    const Json* type = present("model_type");
    if (type == nullptr || type->kind != Json::Kind::kString) invalid("model_type is missing");
    if (type->string != "bert") unsupported("model_type is " + in_quotes(type->string) + ", not 'bert'");
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
  }

  size_t size(const char* name) const {
    const Json* value = present(name);
    const std::optional<size_t> given = value == nullptr ? std::nullopt : value->size();
    // Bounds keep products of sizes far from overflow; no model comes near them.
    if (!given || *given == 0 || *given > (size_t{1} << 28))
      invalid(std::string(name) + " is missing or no positive whole number");
    return *given;
  }

  Activation activation() const {
    const Json* value = present("hidden_act");
    const std::string name = value == nullptr ? "gelu" : value->string;
    if (name == "gelu" || name == "gelu_python") return Activation::kGeluErf;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast")
      return Activation::kGeluTanh;
    unsupported("hidden_act is " + in_quotes(name) + ", not a GELU");
  }

  float epsilon() const {
    const Json* value = present("layer_norm_eps");
    if (value == nullptr) return 1e-12F;
    if (value->kind != Json::Kind::kNumber) invalid("layer_norm_eps is no number");
    return static_cast<float>(value->number);
  }

  const Json& json_;
  const std::string& path_;
};

}  // namespace

EncoderConfig parse_encoder_config(std::string_view text, const std::string& path) {
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
