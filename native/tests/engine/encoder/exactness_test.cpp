#include "engine/encoder/exactness.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "engine/encoder/encoder_loading.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "test.hpp"

namespace gteway {
namespace {

// Deep and wide enough for errors to be those of real models.
constexpr EncoderConfig kMedium{.vocabulary = 500,
                                .positions = 64,
                                .token_types = 2,
                                .hidden = 128,
                                .layers = 6,
                                .heads = 4,
                                .head_size = 32,
                                .intermediate = 256};

std::unique_ptr<Engine> engine_for(const EncoderWeights& weights, const char* dtype) {
  return make_encoder(weights, {.dtype = dtype, .threads = 1});
}

double cosine_of(const EncoderWeights& weights, const char* dtype, const ProbeTexts& probes = {}) {
  return least_cosine_to_float32(*engine_for(weights, dtype), weights, probes, 2);
}

// As trained models have them: a few channels that are many times the others in every row. Queries and keys
// ten times as large make attention choose one key, by differences that few bits lose.
void make_hard(test::RandomEncoder& model) {
  for (const EncoderLayer& layer : model.weights.layers) {
    for (const Tensor* tensor : {&layer.query.weight, &layer.key.weight})
      for (float& value : model.numbers(*tensor)) value *= 4;
    for (const LayerNorm* norm : {&layer.attention_norm, &layer.output_norm})
      for (const size_t channel : {7, 70}) model.numbers(norm->gamma)[channel] *= 20;
  }
}

TEST("exactness: fp32 keeps itself, bf16 the cosine that is promised of ordinary weights") {
  const test::RandomEncoder model(kMedium, true);
  CHECK(cosine_of(model.weights, "fp32") > 1 - 1e-12);
  if (const auto reason = encoder_unavailable(kMedium, "bf16")) SKIP(*reason);
  const double cosine = cosine_of(model.weights, "bf16");
  CHECK(cosine >= 0.9999);
  CHECK(cosine < 1 - 1e-9);
}

TEST("exactness: outlier channels and sharp attention are seen to break bf16, and int8 more") {
  if (const auto reason = encoder_unavailable(kMedium, "bf16")) SKIP(*reason);
  test::RandomEncoder model(kMedium, true);
  make_hard(model);
  CHECK(cosine_of(model.weights, "fp32") > 1 - 1e-12);
  const double bf16 = cosine_of(model.weights, "bf16");
  CHECK(bf16 < 0.9999);
  if (encoder_unavailable(kMedium, "int8")) return;
  CHECK(cosine_of(model.weights, "int8") < bf16);
}

TEST("exactness: the least of the texts counts, and what is not the model's does not") {
  if (const auto reason = encoder_unavailable(kMedium, "bf16")) SKIP(*reason);
  test::RandomEncoder model(kMedium, true);
  const ProbeTexts one{.ids = {{1, 2, 3}}}, other{.ids = {{400, 30, 20, 10}}};
  const double least =
      std::min(cosine_of(model.weights, "bf16", one), cosine_of(model.weights, "bf16", other));
  const ProbeTexts all{.ids = {{1, 2, 3}, {}, {400, 30, 20, 10}, {1, 500}, {-1}}};
  CHECK(cosine_of(model.weights, "bf16", all) == least);
  // Longer than the model reads: cut.
  const ProbeTexts too_long{.ids = {std::vector<int32_t>(100, 9)}},
      longest{.ids = {std::vector<int32_t>(kMedium.positions, 9)}};
  CHECK(cosine_of(model.weights, "bf16", too_long) == cosine_of(model.weights, "bf16", longest));
  // None of them the model's: ids from all over the vocabulary.
  CHECK(cosine_of(model.weights, "bf16", {.ids = {{999}}}) == cosine_of(model.weights, "bf16"));
  // The pooling that the model's vectors are made with
  ProbeTexts first = one;
  first.pooling = Pooling::kCls;
  CHECK(cosine_of(model.weights, "bf16", first) != cosine_of(model.weights, "bf16", one));
}

TEST("exactness: a stop ends measuring") {
  const test::RandomEncoder model(kMedium, true);
  const auto engine = engine_for(model.weights, "fp32");
  StopFlag stop;
  stop.stop();
  CHECK_THROWS(Error, least_cosine_to_float32(*engine, model.weights, {}, 1, stop), "closing");
}

}  // namespace
}  // namespace gteway
