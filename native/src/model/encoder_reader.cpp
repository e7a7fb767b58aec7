#include "model/encoder_reader.hpp"

#include <string_view>

#include "base/error.hpp"
#include "base/mapped_file.hpp"
#include "model/encoder_config.hpp"
#include "model/onnx_encoder.hpp"
#include "model/safetensors_encoder.hpp"

namespace gteway {

EncoderWeights read_encoder(const std::string& weights_path, const std::string& config_path) {
  EncoderWeights weights;
  if (weights_path.ends_with(".safetensors")) {
    const auto config = MappedFile::open(config_path);
    const std::string_view text(reinterpret_cast<const char*>(config->bytes().data()),
                                config->bytes().size());
    weights = read_safetensors_encoder(weights_path, text, config_path);
  } else {
    weights = read_onnx_encoder(read_onnx(weights_path), weights_path);
  }
  check_encoder_config(weights.config, weights_path);
  return weights;
}

}  // namespace gteway
