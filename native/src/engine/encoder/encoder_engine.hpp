// The packed CPU encoder: runs BERT-shaped encoders on ragged batches, without ONNX Runtime.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/stop.hpp"
#include "engine/encoder/sharing.hpp"
#include "engine/engine.hpp"
#include "model/encoder_weights.hpp"

namespace gteway {

struct EncoderOptions {
  std::string dtype = "fp32";  // "fp32", "bf16", "int8": what products are computed in
  size_t threads = 1;          // the most that embed() will be asked to share a batch among; also for packing
  size_t max_batch_tokens = 0;  // 0: the engine's own choice
  Sharing sharing{};
  std::optional<double> cosine{};  // what info() tells
};

// Why the encoder cannot run such a model in that dtype on this machine, for people ("bf16 needs AVX512_BF16
// or AMX, which this processor lacks"); nothing where it can. An unknown dtype is a reason too. Throws only
// what kernels::active() throws.
std::optional<std::string> encoder_unavailable(const EncoderConfig& config, std::string_view dtype);

// Weights in the layout of this machine's kernels. Immutable: any number of engines and threads share it.
class PackedEncoder;

// Reads and packs; afterwards nothing of `weights` (nor of the file behind it) is referred to. Runs on
// `threads` threads. Throws Error: kModelUnsupported with encoder_unavailable()'s reason, kOutOfMemory,
// kAborted once each thread has packed at most one more piece (some 128 columns of a matrix) behind `stop`,
// and what Tensor::read throws.
std::shared_ptr<const PackedEncoder> pack_encoder(const EncoderWeights& weights, std::string_view dtype,
                                                  size_t threads, const StopFlag& stop = StopFlag());

// Bytes that a packed encoder holds.
size_t packed_bytes(const PackedEncoder& packed) noexcept;

// An engine of its own workspace and threads over shared weights. options.dtype is ignored: `packed` has one.
std::unique_ptr<Engine> make_encoder(std::shared_ptr<const PackedEncoder> packed,
                                     const EncoderOptions& options);

// Both at once.
std::unique_ptr<Engine> make_encoder(const EncoderWeights& weights, const EncoderOptions& options,
                                     const StopFlag& stop = StopFlag());

}  // namespace gteway
