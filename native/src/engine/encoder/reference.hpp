// The encoder as a textbook writes it, in double precision and with no trick: the truth every kernel is
// tested against, and what a load checks itself with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/stop.hpp"
#include "engine/engine.hpp"
#include "model/encoder_weights.hpp"

namespace gteway {

// The last layer's output for one sequence, row-major [ids.size(), hidden]. `types` are its tokens' types;
// empty: all 0. Ids are below the vocabulary, at
// most config.positions of them; throws Error{kInvalidArgument} otherwise. Throws Error{kAborted} at most 256
// KiB of weights behind `stop`.
std::vector<double> reference_encode(const EncoderWeights& weights, std::span<const int32_t> ids,
                                     const StopFlag& stop = StopFlag(), std::span<const int32_t> types = {});

// The logits that the model's head makes of a sequence's rows.
std::vector<double> reference_score(const EncoderWeights& weights, std::span<const double> rows);

// The largest error of the engine's logits for a short text, of what the reference makes of the engine's own
// rows; relative to the largest of them where that is above 1.
double largest_error_of_head(Engine& engine, const EncoderWeights& weights);

// The least cosine between a token's row of `engine` and of the reference, for one text of four tokens: what
// a load checks the packing and the kernels with. -1 where a row has a NaN. Throws what embed() and
// reference_encode() throw.
double least_cosine_to_reference(Engine& engine, const EncoderWeights& weights,
                                 const StopFlag& stop = StopFlag());

}  // namespace gteway
