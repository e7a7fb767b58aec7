// The encoder in a safetensors file.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "model/encoder_weights.hpp"

namespace gteway {

// As read_encoder() for a safetensors file; `config_json` is the content of `config_path`.
EncoderWeights read_encoder_safetensors(std::shared_ptr<const File> file, std::string_view config_json,
                                        const std::string& config_path);

}  // namespace gteway
