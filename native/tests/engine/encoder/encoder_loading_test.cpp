#include "engine/encoder/encoder_loading.hpp"

#include <atomic>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "engine/encoder/packed_encoder.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "engine/encoder/reference.hpp"
#include "test.hpp"

namespace gteway {
namespace {

constexpr EncoderConfig kSmall{.vocabulary = 60,
                               .positions = 16,
                               .token_types = 2,
                               .hidden = 64,
                               .layers = 2,
                               .heads = 2,
                               .head_size = 32,
                               .intermediate = 96};

std::unique_ptr<Engine> engine_for(const EncoderWeights& weights, const char* dtype) {
  return make_encoder(weights, {.dtype = dtype, .threads = 1});
}

TEST("encoder loading: the self-test passes what is packed as it should be") {
  const test::RandomEncoder model(kSmall, true);
  for (const char* dtype : {"fp32", "bf16", "int8"})
    if (!encoder_unavailable(kSmall, dtype))
      check_encoder(*engine_for(model.weights, dtype), model.weights, dtype);
}

TEST("encoder loading: the self-test stops an encoder whose packed weights are not the model's") {
  for (const char* dtype : {"fp32", "bf16", "int8"}) {
    if (encoder_unavailable(kSmall, dtype)) continue;
    const test::RandomEncoder model(kSmall, true);
    using Spoil = void (*)(EncoderWeights&);
    const Spoil spoils[] = {
        [](EncoderWeights& w) { std::swap(w.layers[0], w.layers[1]); },
        [](EncoderWeights& w) { std::swap(w.layers[1].query, w.layers[1].value); },
        [](EncoderWeights& w) { w.layers[0].key.out_major = false; },
        [](EncoderWeights& w) { w.layers[1].down.weight = w.layers[0].down.weight; },
        [](EncoderWeights& w) {
          w.words.data += 64 * sizeof(float);
          w.config.vocabulary -= 1;
          w.words.elements -= 64;
        },
        [](EncoderWeights& w) {
          w.layers.pop_back();
          w.config.layers -= 1;
        },
        [](EncoderWeights& w) { w.embedding_norm.gamma = w.embedding_norm.beta; },
    };
    for (const Spoil& spoil : spoils) {
      EncoderWeights other = model.weights;
      spoil(other);
      const std::unique_ptr<Engine> engine = engine_for(other, dtype);
      const EncoderWeights& wanted = model.weights;
      // Tokens of a shorter vocabulary are out of the engine's range only where the self-test reaches for the
      // last.
      CHECK_THROWS(Error, check_encoder(*engine, wanted, dtype), "");
    }
  }
}

TEST("encoder loading: the reason says how far off the vectors were") {
  const test::RandomEncoder model(kSmall, false);
  EncoderWeights other = model.weights;
  std::swap(other.layers[0], other.layers[1]);
  try {
    check_encoder(*engine_for(other, "fp32"), model.weights, "fp32");
    test::fail(__FILE__, __LINE__, "nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.code == ErrorCode::kInferenceFailed);
    CHECK(std::string(error.what()).find("in fp32, the self-test's least cosine to the reference is") !=
          std::string::npos);
  }
}

// Packs as the scalar kernels do; sets the flag at the third piece, and counts those that are begun behind
// it.
std::atomic<StopFlag*> flag_to_set = nullptr;
std::atomic<int> pieces_packed = 0, pieces_behind = 0;
void stopping_pack(const kernels::LinearShape& shape, const float* weights, const float* bias, size_t first,
                   size_t columns, void* to) noexcept {
  if (flag_to_set.load()->stopped()) ++pieces_behind;
  kernels::encoder_kernels_for("scalar").table.pack_linear_f32(shape, weights, bias, first, columns, to);
  if (++pieces_packed == 3) flag_to_set.load()->stop();
}

TEST("encoder loading: a stop is seen before another piece is packed") {
  EncoderConfig config = kSmall;
  config.layers = 20;
  const test::RandomEncoder model(config, true);
  kernels::EncoderKernels set = kernels::encoder_kernels_for("scalar");
  set.table.pack_linear_f32 = stopping_pack;
  for (const size_t threads : {size_t{1}, size_t{3}}) {
    StopFlag stop;
    flag_to_set = &stop;
    pieces_packed = pieces_behind = 0;
    CHECK_THROWS(Error, PackedEncoder(model.weights, "fp32", threads, stop, set), "the session is closing");
    // Each thread may have looked just before.
    CHECK(pieces_packed >= 3);
    CHECK(pieces_behind < static_cast<int>(threads));
    CHECK(pieces_packed < 3 + static_cast<int>(threads));
  }
}

TEST("encoder loading: a stop ends the self-test, and the engine in it") {
  const test::RandomEncoder model(kSmall, true);
  const auto engine = engine_for(model.weights, "fp32");
  StopFlag stop;
  stop.stop();
  CHECK_THROWS(Error, reference_encode(model.weights, std::vector<int32_t>{1, 2}, stop), "closing");
  CHECK_THROWS(Error, check_encoder(*engine, model.weights, "fp32", stop), "closing");
  std::vector<float> row(kSmall.hidden);
  const int32_t ids[] = {1};
  const uint32_t offsets[] = {0, 1};
  CHECK_THROWS(Error, engine->embed({ids, offsets}, Pooling::kCls, false, 1, row), "closing");
}

}  // namespace
}  // namespace gteway
