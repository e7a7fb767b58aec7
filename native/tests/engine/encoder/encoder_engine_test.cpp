#include "engine/encoder/encoder_engine.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/error.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "engine/encoder/reference.hpp"
#include "kernels/encoder_kernels.hpp"
#include "test.hpp"

using namespace gteway;
using namespace gteway::test;

namespace {

EncoderConfig config_of(size_t hidden, size_t head_size, size_t intermediate, size_t layers = 2,
                        Activation activation = Activation::kGeluErf) {
  return {.vocabulary = 50,
          .positions = 160,
          .token_types = 2,
          .hidden = hidden,
          .layers = layers,
          .heads = hidden / head_size,
          .head_size = head_size,
          .intermediate = intermediate,
          .activation = activation,
          .layer_norm_epsilon = 1e-12F};
}

struct Batch {
  Batch(std::initializer_list<size_t> lengths, uint32_t seed = 3) : generator(seed) {
    for (const size_t length : lengths) add(length);
  }
  void add(size_t length) {
    for (size_t i = 0; i < length; ++i) ids.push_back(static_cast<int32_t>(generator() % 50));
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  RaggedBatch get() const { return {ids, offsets}; }
  std::mt19937 generator;
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets = {0};
};

std::vector<float> embed(Engine& engine, const RaggedBatch& batch, Pooling pooling, bool normalize = false,
                         size_t threads = 1) {
  std::vector<float> out((pooling == Pooling::kNone ? batch.tokens() : batch.size()) *
                         engine.info().dimensions);
  engine.embed(batch, pooling, normalize, threads, out);
  return out;
}

// One body per dtype; skipped where this machine cannot compute in it.
bool add_for_each_dtype(const std::string& name, void (*body)(const std::string& dtype)) {
  for (const std::string dtype : {"fp32", "bf16", "int8"})
    add("encoder: " + name + " [" + dtype + "]", [dtype, body] {
      if (const auto reason = encoder_unavailable(config_of(64, 32, 64), dtype)) SKIP(*reason);
      body(dtype);
    });
  return true;
}
#define DTYPE_TEST(name)                                                   \
  static void GTEWAY_JOIN(dtype_test_, __LINE__)(const std::string&);      \
  [[maybe_unused]] static const bool GTEWAY_JOIN(dtype_added_, __LINE__) = \
      add_for_each_dtype(name, GTEWAY_JOIN(dtype_test_, __LINE__));        \
  static void GTEWAY_JOIN(dtype_test_, __LINE__)([[maybe_unused]] const std::string& dtype)

// What one token's row may be off, as 1 - cosine. Random models forgive less than trained ones.
double cosine_slack(const std::string& dtype) {
  return dtype == "fp32" ? 1e-10 : dtype == "bf16" ? 1e-4 : 1e-3;
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

DTYPE_TEST("every row is the reference's, for any shape") {
  struct Shape {
    size_t hidden, head_size, intermediate;
    Activation activation;
  };
  for (const auto& [hidden, head_size, intermediate, activation] :
       {Shape{32, 32, 32, Activation::kGeluErf}, Shape{64, 64, 160, Activation::kGeluTanh},
        Shape{96, 32, 352, Activation::kGeluErf}, Shape{384, 32, 1536, Activation::kGeluErf},
        Shape{768, 64, 1024, Activation::kGeluTanh}, Shape{1024, 64, 416, Activation::kGeluErf}})
    for (const bool out_major : {false, true}) {
      const EncoderConfig config = config_of(hidden, head_size, intermediate, 2, activation);
      const RandomEncoder model(config, out_major, static_cast<uint32_t>(hidden));
      const auto engine = make_encoder(model.weights, {.dtype = dtype, .threads = 1, .max_batch_tokens = 0});
      CHECK_EQ(engine->info().engine, "encoder");
      CHECK_EQ(engine->info().dtype, dtype);
      CHECK_EQ(engine->info().dimensions, hidden);
      const Batch batch({5, 1, 33});
      const std::vector<float> rows = embed(*engine, batch.get(), Pooling::kNone);
      for (size_t s = 0, row = 0; s < batch.get().size(); ++s) {
        const std::vector<double> expected = reference_encode(model.weights, batch.get().sequence(s));
        for (size_t i = 0; i < batch.get().length(s); ++i, ++row) {
          const double least = 1 - cosine_slack(dtype);
          const double found = cosine(&rows[row * hidden], &expected[i * hidden], hidden);
          if (!(found >= least))
            fail(__FILE__, __LINE__, "hidden " + show(hidden) + ": cosine " + show(found));
          for (size_t d = 0; dtype == "fp32" && d < hidden; ++d)
            CHECK_NEAR(rows[row * hidden + d], expected[i * hidden + d], 2e-5);
        }
      }
      CHECK(least_cosine_to_reference(*engine, model.weights) >= 1 - cosine_slack(dtype));
    }
}

DTYPE_TEST("a text's vector has the same bits alone, in any batch, in any order, on any number of threads") {
  const RandomEncoder model(config_of(96, 32, 352), true);
  const auto engine = make_encoder(
      model.weights, {.dtype = dtype, .threads = 3, .max_batch_tokens = 0, .sharing = kShareAll});
  Batch texts({1, 2, 3, 7, 13, 14, 15, 16, 17, 29, 31, 32, 33, 64, 65, 130, 160});
  const size_t dims = 96, count = texts.get().size();
  std::vector<std::vector<float>> alone;
  for (size_t i = 0; i < count; ++i) {
    const std::span<const int32_t> ids = texts.get().sequence(i);
    const uint32_t offsets[] = {0, static_cast<uint32_t>(ids.size())};
    alone.push_back(embed(*engine, {ids, offsets}, Pooling::kMean, true));
    for (const size_t threads : {2, 3})
      CHECK(embed(*engine, {ids, offsets}, Pooling::kMean, true, threads) == alone.back());
  }
  std::mt19937 generator(5);
  for (int round = 0; round < 12; ++round) {
    std::vector<size_t> order(count);
    for (size_t i = 0; i < count; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), generator);
    order.resize(1 + generator() % count);
    Batch batch({});
    for (const size_t i : order) {
      const auto ids = texts.get().sequence(i);
      batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
      batch.offsets.push_back(static_cast<uint32_t>(batch.ids.size()));
    }
    const std::vector<float> out = embed(*engine, batch.get(), Pooling::kMean, true, 1 + generator() % 3);
    for (size_t i = 0; i < order.size(); ++i)
      CHECK(std::memcmp(&out[i * dims], alone[order[i]].data(), dims * sizeof(float)) == 0);
  }
}

DTYPE_TEST("pooling: the mean, the first token, every token; normalised or not") {
  const RandomEncoder model(config_of(64, 32, 64), true);
  const auto engine = make_encoder(model.weights, {.dtype = dtype, .threads = 1, .max_batch_tokens = 0});
  const Batch batch({4, 9});
  const std::vector<float> rows = embed(*engine, batch.get(), Pooling::kNone);
  const std::vector<float> first = embed(*engine, batch.get(), Pooling::kCls);
  const std::vector<float> mean = embed(*engine, batch.get(), Pooling::kMean);
  const std::vector<float> unit = embed(*engine, batch.get(), Pooling::kMean, true);
  for (size_t s = 0; s < 2; ++s) {
    double square = 0;
    for (size_t d = 0; d < 64; ++d) {
      double sum = 0;
      for (size_t i = batch.offsets[s]; i < batch.offsets[s + 1]; ++i) sum += rows[i * 64 + d];
      CHECK_NEAR(mean[s * 64 + d], sum / static_cast<double>(batch.get().length(s)), 1e-6);
      CHECK_EQ(first[s * 64 + d], rows[batch.offsets[s] * 64 + d]);
      square += static_cast<double>(unit[s * 64 + d]) * unit[s * 64 + d];
    }
    CHECK_NEAR(square, 1, 1e-6);
  }
}

DTYPE_TEST("a NaN among the weights reaches no text but those that use it") {
  RandomEncoder model(config_of(64, 32, 64), true);
  model.numbers(model.weights.words)[7 * 64 + 3] = NAN;  // the word of token 7
  const auto engine = make_encoder(model.weights, {.dtype = dtype, .threads = 1, .max_batch_tokens = 0});
  Batch batch({});
  batch.ids = {1, 2, 3, 4, 7, 5, 6, 1, 2};
  batch.offsets = {0, 3, 6, 9};
  const std::vector<float> out = embed(*engine, batch.get(), Pooling::kMean);
  for (size_t s = 0; s < 3; ++s)
    for (size_t d = 0; d < 64; ++d) CHECK_EQ(std::isnan(out[s * 64 + d]), s == 1);

  RandomEncoder broken(config_of(64, 32, 64), true);
  broken.numbers(broken.weights.layers[1].up.weight)[5] = NAN;
  const auto all_nan = make_encoder(broken.weights, {.dtype = dtype, .threads = 1, .max_batch_tokens = 0});
  CHECK_EQ(least_cosine_to_reference(*all_nan, broken.weights), -1.0);
}

DTYPE_TEST("many threads embed at once, and some share") {
  const RandomEncoder model(config_of(64, 32, 128), false);
  const auto engine = make_encoder(
      model.weights, {.dtype = dtype, .threads = 3, .max_batch_tokens = 0, .sharing = kShareAll});
  const Batch batch({3, 20, 41});
  const std::vector<float> expected = embed(*engine, batch.get(), Pooling::kMean);
  std::atomic<int> different = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 25; ++i)
        if (embed(*engine, batch.get(), Pooling::kMean, false, 1 + (t + i) % 3) != expected) ++different;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(different.load(), 0);
}

TEST("encoder: terminate() ends calls in flight and refuses later ones") {
  const RandomEncoder model(config_of(384, 32, 1536, 12), true);
  const auto engine = make_encoder(
      model.weights, {.dtype = "fp32", .threads = 2, .max_batch_tokens = 0, .sharing = kShareAll});
  const Batch batch({160, 160, 160, 160});
  for (const size_t threads : {1, 2}) {
    std::thread caller([&] {
      try {
        for (;;) (void)embed(*engine, batch.get(), Pooling::kMean, false, threads);
      } catch (const Error& error) {
        CHECK_EQ(error.code, ErrorCode::kAborted);
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    engine->terminate();
    caller.join();
  }
  CHECK_THROWS(Error, embed(*engine, batch.get(), Pooling::kMean), "closing");
}

TEST("encoder: what it cannot run is refused with the value") {
  const RandomEncoder model(config_of(64, 32, 64), true);
  const auto engine = make_encoder(model.weights, {.dtype = "fp32", .threads = 1, .max_batch_tokens = 77});
  CHECK_EQ(engine->cost().max_batch_tokens, 77u);
  CHECK(!engine->cost().padded);
  CHECK(embed(*engine, {}, Pooling::kMean).empty());
  Batch batch({3});
  batch.ids[1] = 50;
  CHECK_THROWS(Error, embed(*engine, batch.get(), Pooling::kMean), "token id 50");
  batch.ids[1] = -1;
  CHECK_THROWS(Error, embed(*engine, batch.get(), Pooling::kMean), "token id -1");
  CHECK_THROWS(Error, embed(*engine, Batch({161}).get(), Pooling::kMean), "161 tokens");
  CHECK_THROWS(Error, embed(*engine, Batch({3, 0}).get(), Pooling::kMean), "sequence 1");
  std::vector<float> small(63);
  CHECK_THROWS(Error, engine->embed(Batch({3}).get(), Pooling::kMean, true, 1, small), "63 numbers");
  const Batch pair({3});
  CHECK_THROWS(Error, embed(*engine, pair.get(), Pooling::kScore), "no classification head");
  const std::vector<int32_t> one_type = {0, 0, 0}, two_types = {0, 0, 1};
  const RaggedBatch single = {pair.ids, pair.offsets, one_type};
  CHECK(embed(*engine, single, Pooling::kMean) == embed(*engine, pair.get(), Pooling::kMean));
  CHECK_THROWS(Error, embed(*engine, {pair.ids, pair.offsets, two_types}, Pooling::kMean), "token type 1");
}

TEST("encoder: shapes it has no kernels for are refused with the reason") {
  const auto reason = [](EncoderConfig config, const char* dtype = "fp32") {
    return encoder_unavailable(config, dtype).value_or("");
  };
  EncoderConfig config = config_of(64, 32, 64);
  CHECK_EQ(reason(config), "");
  CHECK(reason(config, "fp8").find("not in fp8") != std::string::npos);
  config.intermediate = 65;
  CHECK(reason(config).find("65") != std::string::npos);
  config = config_of(64, 32, 64);
  config.head_size = 16;
  config.heads = 4;
  CHECK(reason(config).find("16 dimensions") != std::string::npos);
  config = config_of(64, 32, 64);
  config.heads = 3;
  CHECK(reason(config).find("3 heads of 32") != std::string::npos);
  const RandomEncoder model(config_of(64, 32, 64), true);
  EncoderWeights wrong = model.weights;
  wrong.config = config;
  CHECK_THROWS(Error, pack_encoder(wrong, "fp32", 1), "3 heads");
}
