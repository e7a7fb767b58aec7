// What a BERT-shaped encoder is made of: its configuration, and its weights as they lie in the model's files.
// Nothing here is copied or converted; engines pack what they need and let go of the files.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "model/tensor.hpp"

namespace gteway {

enum class Activation { kGeluErf, kGeluTanh };

struct EncoderConfig {
  size_t vocabulary = 0;
  size_t positions = 0;    // rows of the position table: the longest text in tokens
  size_t token_types = 0;  // rows of the token type table; only row 0 is used
  size_t hidden = 0;
  size_t layers = 0;
  size_t heads = 0;
  size_t head_size = 0;  // heads × head_size == hidden
  size_t intermediate = 0;
  Activation activation = Activation::kGeluErf;
  float layer_norm_epsilon = 1e-12F;  // added to the variance
};

// y = x W + b
struct Linear {
  Tensor weight;  // W
  bool out_major =
      false;  // false: stored [in, out], as ONNX's MatMul has it; true: [out, in], as PyTorch has
  size_t in = 0;
  size_t out = 0;
  Tensor bias;  // [out]
};

// y = (x - mean) / sqrt(variance + epsilon) × gamma + beta
struct LayerNorm {
  Tensor gamma;
  Tensor beta;
};

// Post-norm, as in BERT: h = norm(x + attention(x)); y = norm(h + down(gelu(up(h)))).
// Scores are scaled by 1 / sqrt(head_size); head i owns columns [i × head_size, (i + 1) × head_size).
struct EncoderLayer {
  Linear query;
  Linear key;
  Linear value;
  Linear attention_output;
  LayerNorm attention_norm;
  Linear up;
  Linear down;
  LayerNorm output_norm;
};

// norm(words[id] + positions[i] + token_types[0]), then the layers.
struct EncoderWeights {
  EncoderConfig config;
  Tensor words;        // [vocabulary, hidden]
  Tensor positions;    // [positions, hidden]
  Tensor token_types;  // [token_types, hidden]
  LayerNorm embedding_norm;
  std::vector<EncoderLayer> layers;
  // What the tensors lie in
  std::vector<std::shared_ptr<const File>> files;
  std::shared_ptr<const void> memory;

  // Throws Error{kModelInvalid} where one of the files was changed since it was opened: what was read of them
  // may then be of both versions.
  void check_unchanged() const {
    for (const std::shared_ptr<const File>& file : files) file->check_unchanged();
  }
};

// Throws Error{kModelInvalid} where a tensor has another number of elements than `weights.config` and the
// layers say, or there is none of what every text needs. `path` is for messages.
void check_encoder_weights(const EncoderWeights& weights, const std::string& path);

}  // namespace gteway
