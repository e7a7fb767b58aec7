// From a model file to the weights of the encoder in it, or the reason why it is no such encoder.
#pragma once

#include <string>

#include "model/encoder_weights.hpp"

namespace gteway {

// Maps `weights_path` (UTF-8; an .onnx or a .safetensors file) and finds the encoder's weights in it. Of an
// ONNX file the graph decides alone: every node that the token vectors depend on is accounted for. Of a
// safetensors file, which holds tensors and no graph, `config_path` (the model's config.json) says how they
// are computed with, and every tensor must be one that such a model has; an ONNX file needs no `config_path`.
//
// Throws Error with the exact reason: kModelUnsupported where the model is sound and the encoder computes
// something else, kModelInvalid where a file cannot be read or contradicts itself.
EncoderWeights read_encoder(const std::string& weights_path, const std::string& config_path);

}  // namespace gteway
