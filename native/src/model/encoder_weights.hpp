// What a BERT-shaped encoder is made of: its configuration, and its weights as they lie in the model file.
// Nothing here is copied or converted; engines pack what they need and let go of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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

enum class ElementType { kF32, kF16, kBf16 };

// Elements in the model file, end to end. `data` need not be aligned to the element.
struct Tensor {
  const std::byte* data = nullptr;
  ElementType type = ElementType::kF32;
  size_t elements = 0;

  // out[i] = element first + i, widened to float32 (exactly). first + count ≤ elements.
  void read(size_t first, size_t count, float* out) const;
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
  std::shared_ptr<const void> file;  // keeps what the tensors point into mapped
};

}  // namespace gteway
