// The encoder in an ONNX file, recognised by what its graph computes.
#pragma once

#include <string>

#include "model/encoder_weights.hpp"
#include "model/onnx_model.hpp"

namespace gteway {

// As read_encoder() for an ONNX file; `path` is for messages.
EncoderWeights read_encoder_onnx(OnnxModel model, const std::string& path);

}  // namespace gteway
