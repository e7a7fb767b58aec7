#include "engine/encoder/encoder_loading.hpp"

#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/memory.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "engine/encoder/exactness.hpp"
#include "engine/encoder/reference.hpp"
#include "model/read_encoder.hpp"

namespace gteway {
namespace {

// Of single tokens, which agree less than their mean. A layer that is wrong, or a weight in the wrong place,
// leaves less than 0.9.
double least_cosine(std::string_view dtype) {
  if (dtype == "fp32") return 0.999999;
  return dtype == "bf16" ? 0.9995 : 0.99;
}

// Of the texts that the options name; nothing where it would take scalar kernels, and nobody asks for one.
std::optional<double> measured_cosine(Engine& engine, const EncoderWeights& weights,
                                      const EngineOptions& options) {
  if (options.dtype == "fp32") return 1;
  if (engine.info().isa == "scalar" && options.least_cosine <= 0) return std::nullopt;
  const StopFlag::Callback end_engine(*options.stop, [&engine] { engine.terminate(); });
  const double cosine =
      least_cosine_to_float32(engine, weights, options.probes, options.threads, *options.stop);
  if (cosine >= options.least_cosine) return cosine;
  throw Error(
      ErrorCode::kInferenceFailed,
      "in " + options.dtype + " this model's vectors come no nearer to those in fp32 than a cosine of " +
          std::to_string(cosine) + ", and " + std::to_string(options.least_cosine) + " is what is asked for");
}

}  // namespace

std::unique_ptr<Engine> load_encoder(const EngineOptions& options) {
  const EncoderWeights weights = read_encoder(options.model_path, options.config_path, options.stop);
  try {
    const std::shared_ptr<const PackedEncoder> packed =
        pack_encoder(weights, options.dtype, options.threads, *options.stop);
    EncoderOptions encoder{
        .dtype = options.dtype, .threads = options.threads, .max_batch_tokens = options.max_batch_tokens};
    {
      const std::unique_ptr<Engine> engine = make_encoder(packed, encoder);
      check_encoder(*engine, weights, options.dtype, *options.stop);
      encoder.cosine = measured_cosine(*engine, weights, options);
    }
    weights.check_unchanged();
    return_freed_memory();
    return make_encoder(packed, encoder);
  } catch (const Error& error) {
    // Vectors of half a model say nothing about the encoder.
    if (error.code != ErrorCode::kAborted) weights.check_unchanged();
    throw;
  }
}

void check_encoder(Engine& engine, const EncoderWeights& weights, std::string_view dtype,
                   const StopFlag& stop) {
  const StopFlag::Callback end_engine(stop, [&engine] { engine.terminate(); });
  const double cosine = least_cosine_to_reference(engine, weights, stop);
  const double least = least_cosine(dtype);
  // Heads are computed in float32 whatever the encoder is.
  constexpr double kMostOfHead = 1e-4;
  const double of_head =
      weights.head && engine.info().labels > 0 ? largest_error_of_head(engine, weights) : 0;
  if (!(of_head <= kMostOfHead))
    throw Error(ErrorCode::kInferenceFailed,
                "the encoder's logits are not those of the model: the "
                "self-test's largest error is " +
                    std::to_string(of_head));
  if (cosine >= least) return;
  throw Error(ErrorCode::kInferenceFailed,
              "the encoder's vectors are not those of the model: in " + std::string(dtype) +
                  ", the self-test's least cosine to the reference is " + std::to_string(cosine) + ", not " +
                  std::to_string(least) + " or more");
}

}  // namespace gteway
