// What a transformer encoder is made of: its description, and its weights as they lie in the model's files.
// Nothing here is copied or converted; engines pack what they need and let go of the files.
//
// A family of models is a description: EncoderConfig and what of EncoderWeights there is. Engines, the
// self-test's reference and the readers of files share it, and none of them knows a family by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "model/tensor.hpp"

namespace gteway {

enum class Activation { kGeluErf, kGeluTanh, kSilu, kRelu, kTanh };

// Where a block (attention, feed-forward network) is normalised.
enum class NormPlace {
  kPost,  // h = norm(x + block(x)), as in BERT
  kPre,   // h = x + block(norm(x)), and once more behind the last layer, as in ModernBERT
};

// Which keys a layer's queries see, and how they know where those are.
struct LayerAttention {
  static constexpr size_t kEverywhere = SIZE_MAX;
  size_t reach = kEverywhere;  // query i sees the keys from i - reach to i + reach
  // Radians that dimensions i and i + head_size / 2 of queries and keys are turned by per position, for each
  // i: [head_size / 2]; empty: not turned.
  std::vector<float> rotation{};
  bool operator==(const LayerAttention&) const = default;
};

struct EncoderConfig {
  size_t vocabulary = 0;
  size_t positions = 0;    // the longest text in tokens
  size_t token_types = 0;  // rows of the token type table; 0: there is none
  size_t hidden = 0;
  size_t layers = 0;
  size_t heads = 0;
  size_t head_size = 0;  // heads × head_size == hidden
  size_t intermediate = 0;
  Activation activation = Activation::kGeluErf;
  float layer_norm_epsilon = 1e-12F;  // added to the variance

  bool has_positions = true;  // whether a table of them is added to the words
  // RoBERTa counts the tokens that are no padding, in rows behind that of the padding: the first has row
  // `padding_id` + 1, and a token that spells the padding has row `padding_id`.
  std::optional<int32_t> padding_id{};
  NormPlace norm_place = NormPlace::kPost;
  bool gated = false;                       // the feed-forward network is down(activation(gate(x)) × up(x))
  std::vector<LayerAttention> attention{};  // [layers]; empty: all see everywhere, and none turns

  const LayerAttention& attention_of(size_t layer) const;
};

// y = x W + b
struct Linear {
  Tensor weight;  // W
  bool out_major =
      false;  // false: stored [in, out], as ONNX's MatMul has it; true: [out, in], as PyTorch has
  size_t in = 0;
  size_t out = 0;
  Tensor bias;  // [out]; without elements: none

  // Where this is part of a wider matrix that is stored [in, stored_out]: its columns from first_out on.
  size_t stored_out = 0;  // 0: `out`
  size_t first_out = 0;

  size_t stored_width() const { return stored_out == 0 ? out : stored_out; }
  // Outputs [first, first + count), which it has.
  Linear columns(size_t first, size_t count) const;
};

// y = (x - mean) / sqrt(variance + epsilon) × gamma + beta
struct LayerNorm {
  Tensor gamma;
  Tensor beta;  // without elements: none
};

// Scores are scaled by 1 / sqrt(head_size); head i owns columns [i × head_size, (i + 1) × head_size).
struct EncoderLayer {
  Linear query;
  Linear key;
  Linear value;
  Linear attention_output;
  LayerNorm attention_norm;  // of a first layer that normalises before: without gamma, x goes in as it is
  Linear gate;               // of a gated network
  Linear up;
  Linear down;
  LayerNorm output_norm;  // the feed-forward network's
};

// What is added to the scores: row bucket(j - i) and column head of a table that all layers share, as in T5
// and MPNet. Distances beyond some are put together; see relative_bucket().
struct RelativeBias {
  Tensor table;  // [buckets, heads]; without elements: nothing is added
  size_t buckets = 0;
};

// From one row per text to a number for each label: classifier(norm(activation(dense(row)))).
struct ClassificationHead {
  bool mean = false;  // of a text's rows; else its first row
  Linear dense;
  Activation activation = Activation::kTanh;
  LayerNorm norm;  // without gamma: none
  Linear classifier;
};

// norm(words[id] + positions[i] + token_types[type]), then the layers.
struct EncoderWeights {
  EncoderConfig config;
  Tensor words;        // [vocabulary, hidden]
  Tensor positions;    // [position_rows(config), hidden], where there are some
  Tensor token_types;  // [token_types, hidden], likewise
  LayerNorm embedding_norm;
  RelativeBias relative_bias;
  std::vector<EncoderLayer> layers;
  LayerNorm final_norm;  // with NormPlace::kPre
  std::optional<ClassificationHead> head;
  // What the tensors lie in
  std::vector<std::shared_ptr<const File>> files;
  std::shared_ptr<const void> memory;

  // Throws Error{kModelInvalid} where one of the files was changed since it was opened: what was read of them
  // may then be of both versions.
  void check_unchanged() const {
    for (const std::shared_ptr<const File>& file : files) file->check_unchanged();
  }
};

// Rows that the table of positions has: those of the padding and before are there, though no text needs them.
inline size_t position_rows(const EncoderConfig& config) {
  return config.positions + (config.padding_id ? static_cast<size_t>(*config.padding_id) + 1 : 0);
}

// The row of a table of `buckets` for a key that is `distance` behind its query: half of them for keys
// before, half for keys behind; of each half one half for near distances, each its own, and one in which
// buckets widen by a factor, up to a distance of 128.
size_t relative_bucket(int64_t distance, size_t buckets);

// 1 / base^(2 i / head_size), as PyTorch computes it in float32.
std::vector<float> rotary_rotation(double base, size_t head_size);

// Whether the configuration is that of a BertModel, which an engine that computes nothing else asks.
bool is_bert(const EncoderWeights& weights);

// Throws Error{kModelInvalid} where a tensor has another number of elements than `weights.config` and the
// layers say, or there is none of what every text needs. `path` is for messages.
void check_encoder_weights(const EncoderWeights& weights, const std::string& path);

}  // namespace gteway
