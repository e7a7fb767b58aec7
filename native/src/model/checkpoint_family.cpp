#include "model/checkpoint_family.hpp"

#include <algorithm>
#include <array>

namespace gteway {
namespace {

using Name = std::string_view;

constexpr Name kBertPrefixes[] = {"", "bert.", "model."};
constexpr Name kRobertaPrefixes[] = {"", "roberta.", "model."};
constexpr Name kDistilBertPrefixes[] = {"", "distilbert.", "model."};
constexpr Name kMpnetPrefixes[] = {"", "mpnet.", "model."};
constexpr Name kModernBertPrefixes[] = {"", "model."};

constexpr Name kBesideBert[] = {"pooler.dense.", "cls.", "classifier.", "qa_outputs."};
constexpr Name kBesideRoberta[] = {"pooler.dense.", "lm_head.", "classifier.", "qa_outputs."};
constexpr Name kBesideDistilBert[] = {"vocab_transform.", "vocab_layer_norm.", "vocab_projector.",
                                      "pre_classifier.",  "classifier.",       "qa_outputs."};
constexpr Name kBesideModernBert[] = {"head.", "decoder.", "classifier.", "qa_outputs."};

constexpr CheckpointFamily kBert = {
    .model_type = "bert",
    .prefixes = kBertPrefixes,
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .attention_output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .output_norm = "output.LayerNorm",
    .head_dense = "pooler.dense",
    .classifier = "classifier",
    .beside = kBesideBert,
};

constexpr CheckpointFamily roberta(Name model_type) {
  CheckpointFamily family = kBert;
  family.model_type = model_type;
  family.prefixes = kRobertaPrefixes;
  family.positions_kind = CheckpointFamily::Positions::kBehindPadding;
  family.head_dense = "classifier.dense";
  family.classifier = "classifier.out_proj";
  family.beside = kBesideRoberta;
  return family;
}

constexpr CheckpointFamily kMpnet = [] {
  CheckpointFamily family = roberta("mpnet");
  family.prefixes = kMpnetPrefixes;
  family.padding_id = 1;  // transformers' MPNetEmbeddings, whatever config.json says
  family.token_types = {};
  family.relative_bias = "encoder.relative_attention_bias";
  family.query = "attention.attn.q";
  family.key = "attention.attn.k";
  family.value = "attention.attn.v";
  family.attention_output = "attention.attn.o";
  family.attention_norm = "attention.LayerNorm";
  return family;
}();

constexpr CheckpointFamily kDistilBert = {
    .model_type = "distilbert",
    .prefixes = kDistilBertPrefixes,
    .hidden = "dim",
    .layers = "n_layers",
    .heads = "n_heads",
    .intermediate = "hidden_dim",
    .activation = "activation",
    .epsilon = {},
    .token_types = {},
    .layer = "transformer.layer.",
    .query = "attention.q_lin",
    .key = "attention.k_lin",
    .value = "attention.v_lin",
    .attention_output = "attention.out_lin",
    .attention_norm = "sa_layer_norm",
    .up = "ffn.lin1",
    .down = "ffn.lin2",
    .output_norm = "output_layer_norm",
    .head_dense = "pre_classifier",
    .classifier = "classifier",
    .head_activation = Activation::kRelu,
    .beside = kBesideDistilBert,
};

constexpr CheckpointFamily kModernBert = {
    .model_type = "modernbert",
    .prefixes = kModernBertPrefixes,
    .activation = "hidden_activation",
    .epsilon = "norm_eps",
    .default_epsilon = 1e-5,
    .positions_kind = CheckpointFamily::Positions::kTurned,
    .chooses_biases = true,
    .words = "embeddings.tok_embeddings",
    .positions = {},
    .token_types = {},
    .embedding_norm = "embeddings.norm",
    .layer = "layers.",
    .queries_keys_values = "attn.Wqkv",
    .attention_output = "attn.Wo",
    .attention_norm = "attn_norm",
    .down = "mlp.Wo",
    .gate_and_up = "mlp.Wi",
    .output_norm = "mlp_norm",
    .final_norm = "final_norm",
    .head_dense = "head.dense",
    .head_norm = "head.norm",
    .classifier = "classifier",
    .beside = kBesideModernBert,
};

constexpr std::array kFamilies = {
    kBert,       roberta("roberta"), roberta("xlm-roberta"), roberta("camembert"), kMpnet,
    kDistilBert, kModernBert};

}  // namespace

const CheckpointFamily* find_checkpoint_family(std::string_view model_type) noexcept {
  const auto* const found =
      std::find_if(kFamilies.begin(), kFamilies.end(),
                   [&](const CheckpointFamily& family) { return family.model_type == model_type; });
  return found == kFamilies.end() ? nullptr : found;
}

std::span<const CheckpointFamily> checkpoint_families() noexcept { return kFamilies; }

}  // namespace gteway
