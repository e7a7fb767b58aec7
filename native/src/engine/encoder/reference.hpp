// The encoder as a textbook writes it, in double precision and with no trick: the truth every kernel is
// tested against, and what a load checks itself with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/encoder_weights.hpp"

namespace gteway {

// The last layer's output for one sequence, row-major [ids.size(), hidden]. Ids are below the vocabulary, at
// most config.positions of them; throws Error{kInvalidArgument} otherwise.
std::vector<double> reference_encode(const EncoderWeights& weights, std::span<const int32_t> ids);

}  // namespace gteway
