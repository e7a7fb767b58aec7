// From a model file to the weights of the encoder in it, or the reason why it is no such encoder.
#pragma once

#include <memory>
#include <string>

#include "base/stop.hpp"
#include "model/encoder_weights.hpp"

namespace gteway {

// Opens `weights_path` (UTF-8; an .onnx or a .safetensors file) and finds the encoder's weights in it, which
// are read later, where they are packed. Of an ONNX file the graph decides alone: every node that the token
// vectors depend on is accounted for. Of a safetensors file, which holds tensors and no graph, `config_path`
// (the model's config.json) says how they are computed with, and every tensor must be one that such a model
// has; an ONNX file needs no `config_path`. Once `stop` is set, this and reading the tensors end soon; null:
// nobody stops it.
//
// Throws Error with the exact reason: kModelUnsupported where the model is sound and the encoder computes
// something else, kModelInvalid where a file cannot be read, contradicts itself or changes meanwhile,
// kAborted where it was stopped. A file that is refused has taken its own size and 64 MiB of memory at most.
EncoderWeights read_encoder(const std::string& weights_path, const std::string& config_path,
                            std::shared_ptr<const StopFlag> stop = nullptr);

}  // namespace gteway
