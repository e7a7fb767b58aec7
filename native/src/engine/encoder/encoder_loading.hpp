// From a model's files to an encoder that has shown that it computes that model.
#pragma once

#include <memory>
#include <string_view>

#include "base/stop.hpp"
#include "engine/engine.hpp"
#include "engine/factory.hpp"
#include "model/encoder_weights.hpp"

namespace gteway {

// Reads the weights, packs them, checks the result, measures how near its vectors come to those in float32,
// checks that the files are still what they were, and lets go of them. Throws Error: kModelUnsupported and
// kModelInvalid as read_encoder() and pack_encoder() do, kInferenceFailed as check_encoder() does and where
// the cosine is below options.least_cosine, kAborted soon after options.stop is set.
std::unique_ptr<Engine> load_encoder(const EngineOptions& options);

// Compares the engine's rows for a short text with those of the scalar reference. Throws
// Error{kInferenceFailed} where the cosine of one is below what `dtype` keeps on models that are computed as
// they should be; Error{kAborted} soon after `stop` is set, which ends the engine too.
void check_encoder(Engine& engine, const EncoderWeights& weights, std::string_view dtype,
                   const StopFlag& stop = StopFlag());

}  // namespace gteway
