#include "model/read_encoder.hpp"

#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "model/encoder_config.hpp"
#include "model/json.hpp"
#include "model/read_encoder_onnx.hpp"
#include "model/read_encoder_safetensors.hpp"

namespace gteway {
namespace {

std::string read_text(const File& file) {
  if (file.size() > kMostJsonBytes)
    throw Error(ErrorCode::kModelInvalid, file.path() + " has " + std::to_string(file.size()) +
                                              " bytes, and " + std::to_string(kMostJsonBytes) +
                                              " are the most that are read");
  std::string text(static_cast<size_t>(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

EncoderWeights read_weights(const std::shared_ptr<const File>& file, const std::string& config_path) {
  if (!file->path().ends_with(".safetensors")) return read_encoder_onnx(read_onnx(file), file->path());
  return read_encoder_safetensors(file, read_text(*File::open(config_path)), config_path);
}

}  // namespace

EncoderWeights read_encoder(const std::string& weights_path, const std::string& config_path,
                            std::shared_ptr<const StopFlag> stop) {
  const std::shared_ptr<const File> file = File::open(weights_path, std::move(stop));
  try {
    EncoderWeights weights = read_weights(file, config_path);
    check_encoder_config(weights.config, weights_path);
    check_encoder_weights(weights, weights_path);
    return weights;
  } catch (const Error& error) {
    // What is wrong with half a file says nothing about the model.
    if (error.code != ErrorCode::kAborted) file->check_unchanged();
    throw;
  }
}

}  // namespace gteway
