// How near an encoder's vectors come to those in float32: what a load measures, and refuses a precision for.
#pragma once

#include <cstddef>
#include <vector>

#include "base/stop.hpp"
#include "engine/batch.hpp"
#include "engine/engine.hpp"
#include "engine/factory.hpp"
#include "model/encoder_weights.hpp"

namespace gteway {

// Weights in float32 that measuring holds at once, but for one layer at least: all of a small model's, a few
// layers of a large one's.
inline constexpr size_t kMeasuredBytes = size_t{16} << 20;

// The vectors of a batch's texts, [batch.size(), hidden], by the kernels for float32; kMean or kCls, not
// normalised. The same bits as an engine's in that dtype, in the memory of `bytes` of weights: layers are
// packed, run and let go of one after the other. Throws what pack_encoder() throws.
std::vector<float> vectors_in_float32(const EncoderWeights& weights, const RaggedBatch& batch,
                                      Pooling pooling, size_t threads, const StopFlag& stop = StopFlag(),
                                      size_t bytes = kMeasuredBytes);

// The least cosine of a probe's vector by `engine` to that in float32; -1 where one has a NaN. Texts are cut
// to the model's positions; those with ids that it does not have do not count. Throws what embed() and
// vectors_in_float32() throw.
double least_cosine_to_float32(Engine& engine, const EncoderWeights& weights, const ProbeTexts& probes,
                               size_t threads, const StopFlag& stop = StopFlag());

}  // namespace gteway
