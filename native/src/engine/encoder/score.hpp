// What a model's classification head makes of a batch.
#pragma once

#include "engine/batch.hpp"
#include "engine/encoder/packed_encoder.hpp"
#include "engine/encoder/workspace.hpp"

namespace gteway {

// Writes [batch.size(), labels] logits to `out`, of the last layer's rows. A text's logits do not depend on
// what else is in the batch. `encoder` has a head. Throws Error{kOutOfMemory}.
void score(const PackedEncoder& encoder, const RaggedBatch& batch, const Rows& rows, float* out);

}  // namespace gteway
