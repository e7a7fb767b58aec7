#include "engine/encoder/sharing.hpp"

#include <memory>

#include "engine/encoder/packed_encoder.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "test.hpp"

using namespace gteway;

namespace {

// One layer of gte-small's: all that the number of threads depends on.
constexpr EncoderConfig kOneLayer{.vocabulary = 50,
                                  .positions = 8,
                                  .token_types = 0,
                                  .hidden = 384,
                                  .layers = 1,
                                  .heads = 12,
                                  .head_size = 32,
                                  .intermediate = 1536,
                                  .activation = Activation::kGeluErf,
                                  .layer_norm_epsilon = 1e-12F};

PackedEncoder packed(const EncoderConfig& config) {
  return PackedEncoder(test::RandomEncoder(config, false).weights, "fp32", 1, StopFlag());
}

}  // namespace

TEST("sharing: threads follow from the work, not from the machine") {
  const PackedEncoder encoder = packed(kOneLayer);
  const auto threads = [&](size_t tokens, size_t offered) {
    return threads_worth(encoder, tokens, offered, {.processors = 128});
  };
  for (const size_t offered : {size_t{16}, size_t{32}, size_t{64}, size_t{128}}) {
    CHECK_EQ(threads(9, offered), size_t{12});  // its 12 panels
    CHECK_EQ(threads(1, offered), threads(16, offered));
    CHECK(threads(512, offered) == offered);
  }
  // 12 panels by 11 threads take as long as by 6.
  CHECK_EQ(threads(9, 11), size_t{6});
  CHECK_EQ(threads(9, 5), size_t{4});
  size_t before = 1;
  for (size_t tokens = 1; tokens <= 1024; tokens *= 2) {
    CHECK(threads(tokens, 128) >= before);
    before = threads(tokens, 128);
  }
}

TEST("sharing: never more threads than are offered or can run, and always one") {
  const PackedEncoder encoder = packed(kOneLayer);
  for (const size_t offered : {0, 1, 2, 3, 64})
    for (const size_t processors : {0, 1, 2, 3, 64}) {
      const size_t threads = threads_worth(encoder, 512, offered, {.processors = processors});
      CHECK(threads >= 1);
      CHECK(threads <= std::max<size_t>(std::min(offered, processors), 1));
    }
}

TEST("sharing: a model whose layers are too small for it is not shared") {
  EncoderConfig small = kOneLayer;
  small.hidden = 64;
  small.heads = 2;
  small.intermediate = 128;
  const PackedEncoder encoder = packed(small);
  CHECK_EQ(threads_worth(encoder, 16, 64, {.processors = 64}), size_t{1});
  CHECK_EQ(threads_worth(encoder, 16, 64, test::kShareAll), size_t{64});
  small.layers = 0;
  CHECK_EQ(threads_worth(packed(small), 512, 64, test::kShareAll), size_t{1});
}
