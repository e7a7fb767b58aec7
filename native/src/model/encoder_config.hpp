// config.json of a BERT model, as the encoder understands it.
#pragma once

#include <string>
#include <string_view>

#include "model/encoder_weights.hpp"

namespace gteway {

// `text` is the content of config.json, `path` its name for messages. Throws Error: kModelUnsupported where a
// field asks for what the encoder does not compute, kModelInvalid where a needed field is missing or
// malformed.
EncoderConfig parse_encoder_config(std::string_view text, const std::string& path);

// What `config` itself must fulfil, wherever it comes from. Throws Error{kModelUnsupported}.
void check_encoder_config(const EncoderConfig& config, const std::string& path);

}  // namespace gteway
