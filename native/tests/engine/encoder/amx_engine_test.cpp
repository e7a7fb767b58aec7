// The whole encoder on AMX: on the processor where it has AMX, emulated elsewhere.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "engine/encoder/encoder_engine.hpp"
#include "engine/encoder/packed_encoder.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "engine/encoder/reference.hpp"
#include "kernels/amx_case.hpp"

#if defined(GTEWAY_AMX_EMULATOR)

using namespace gteway;
using namespace gteway::test;

namespace {

EncoderConfig config_of(size_t hidden, size_t head_size, size_t intermediate) {
  return {.vocabulary = 50,
          .positions = 80,
          .token_types = 2,
          .hidden = hidden,
          .layers = 2,
          .heads = hidden / head_size,
          .head_size = head_size,
          .intermediate = intermediate,
          .activation = Activation::kGeluErf,
          .layer_norm_epsilon = 1e-12F};
}

struct Batch {
  explicit Batch(std::initializer_list<size_t> lengths) {
    std::mt19937 generator(3);
    for (const size_t length : lengths) {
      for (size_t i = 0; i < length; ++i) ids.push_back(static_cast<int32_t>(generator() % 50));
      offsets.push_back(static_cast<uint32_t>(ids.size()));
    }
  }
  RaggedBatch get() const { return {ids, offsets}; }
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets = {0};
};

std::unique_ptr<Engine> engine_of(const RandomEncoder& model, const std::string& dtype,
                                  const kernels::EncoderKernels& set) {
  return make_encoder(std::make_shared<const PackedEncoder>(model.weights, dtype, 1, StopFlag(), set),
                      {.dtype = dtype, .threads = 3, .max_batch_tokens = 0, .sharing = kShareAll});
}

std::vector<float> embed(Engine& engine, const RaggedBatch& batch, size_t threads = 1) {
  std::vector<float> out(batch.tokens() * engine.info().dimensions);
  engine.embed(batch, Pooling::kNone, false, threads, out);
  return out;
}

double cosine(const float* a, const double* b, size_t dims) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t d = 0; d < dims; ++d) {
    dot += a[d] * b[d];
    aa += static_cast<double>(a[d]) * a[d];
    bb += b[d] * b[d];
  }
  return dot / std::sqrt(aa * bb);
}

}  // namespace

TEST("amx: every row of the whole encoder is the reference's") {
  with_amx([](const kernels::EncoderKernels& set) {
    for (const std::string dtype : {"bf16", "int8"})
      for (const EncoderConfig& config :
           {config_of(96, 32, 352), config_of(128, 64, 448), config_of(384, 32, 1536)}) {
        const RandomEncoder model(config, false);
        const auto engine = engine_of(model, dtype, set);
        const Batch batch({5, 1, 33});
        const std::vector<float> rows = embed(*engine, batch.get());
        for (size_t s = 0, row = 0; s < batch.get().size(); ++s) {
          const std::vector<double> expected = reference_encode(model.weights, batch.get().sequence(s));
          for (size_t i = 0; i < batch.get().length(s); ++i, ++row) {
            const size_t hidden = config.hidden;
            CHECK_NEAR(cosine(&rows[row * hidden], &expected[i * hidden], hidden), 1.0,
                       dtype == "bf16" ? 1e-4 : 1e-3);
          }
        }
      }
  });
}

TEST("amx: a text's rows have the same bits alone, in a batch and on any number of threads") {
  with_amx([](const kernels::EncoderKernels& set) {
    for (const std::string dtype : {"bf16", "int8"}) {
      const RandomEncoder model(config_of(96, 32, 160), true);
      const auto engine = engine_of(model, dtype, set);
      const Batch batch({1, 7, 15, 16, 17, 31, 33, 70});
      const std::vector<float> together = embed(*engine, batch.get());
      for (const size_t threads : {2, 3}) CHECK(embed(*engine, batch.get(), threads) == together);
      for (size_t s = 0; s < batch.get().size(); ++s) {
        const std::span<const int32_t> ids = batch.get().sequence(s);
        const uint32_t offsets[] = {0, static_cast<uint32_t>(ids.size())};
        const std::vector<float> alone = embed(*engine, {ids, offsets});
        CHECK(std::equal(alone.begin(), alone.end(), together.begin() + batch.offsets[s] * 96));
      }
    }
  });
}

#endif
