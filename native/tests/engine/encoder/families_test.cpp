// What the description of an encoder can say besides BERT, each alone and together, against the reference.
#include <cmath>
#include <cstring>
#include <functional>

#include "base/error.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "engine/encoder/encoder_loading.hpp"
#include "engine/encoder/exactness.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "engine/encoder/reference.hpp"
#include "test.hpp"

using namespace gteway;
using namespace gteway::test;

namespace {

EncoderConfig small(size_t head_size = 32) {
  return {.vocabulary = 50,
          .positions = 300,
          .token_types = 2,
          .hidden = 64,
          .layers = 2,
          .heads = 64 / head_size,
          .head_size = head_size,
          .intermediate = 96,
          .activation = Activation::kGeluErf,
          .layer_norm_epsilon = 1e-5F};
}

EncoderConfig turned(size_t reach, size_t head_size = 32) {
  EncoderConfig config = small(head_size);
  config.has_positions = false;
  config.token_types = 0;
  config.norm_place = NormPlace::kPre;
  config.gated = true;
  config.layers = 3;
  for (size_t i = 0; i < 3; ++i)
    config.attention.push_back({.reach = i == 0 ? LayerAttention::kEverywhere : reach,
                                .rotation = rotary_rotation(i == 0 ? 160'000 : 10'000, head_size)});
  return config;
}

struct Form {
  std::string name;
  EncoderConfig config;
  std::function<void(RandomEncoder&)> change = [](RandomEncoder&) {};
};

std::vector<Form> forms() {
  std::vector<Form> all;
  EncoderConfig padded = small();
  padded.padding_id = 3;
  padded.token_types = 1;
  all.push_back({"positions behind the padding's", padded});
  EncoderConfig typeless = small();
  typeless.token_types = 0;
  all.push_back({"no token types", typeless});
  for (const Activation activation : {Activation::kSilu, Activation::kRelu}) {
    EncoderConfig config = small();
    config.activation = activation;
    all.push_back({activation == Activation::kSilu ? "SiLU" : "ReLU", config});
    config.gated = true;
    all.push_back({activation == Activation::kSilu ? "SwiGLU" : "ReGLU", config});
  }
  all.push_back({"a bias by distance", padded, [](RandomEncoder& model) { model.add_relative_bias(32); }});
  EncoderConfig wide = small(64);
  all.push_back(
      {"a bias by distance, heads of 64", wide, [](RandomEncoder& model) { model.add_relative_bias(32); }});
  EncoderConfig before = small();
  before.norm_place = NormPlace::kPre;
  all.push_back({"norms before the blocks", before});
  for (const size_t reach : {0, 1, 15, 16, 17, 31, 32, 33, 64, 299, 1000}) {
    EncoderConfig config = small();
    config.attention = {{.reach = reach}, {}};
    all.push_back({"a reach of " + std::to_string(reach), config});
  }
  for (const size_t head_size : {32, 64})
    all.push_back({"ModernBERT, heads of " + std::to_string(head_size), turned(40, head_size),
                   [](RandomEncoder& model) { model.remove_biases(); }});
  return all;
}

std::vector<float> embed(Engine& engine, std::span<const int32_t> ids, size_t threads = 1) {
  const uint32_t offsets[] = {0, static_cast<uint32_t>(ids.size())};
  std::vector<float> out(ids.size() * engine.info().dimensions);
  engine.embed({ids, offsets}, Pooling::kNone, false, threads, out);
  return out;
}

std::vector<int32_t> text(size_t length, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<int32_t> ids(length);
  for (int32_t& id : ids) id = static_cast<int32_t>(generator() % 50);
  return ids;
}

double slack_of(const std::string& dtype) { return dtype == "fp32" ? 1e-10 : dtype == "bf16" ? 4e-4 : 4e-3; }

void check_form(const Form& form, const std::string& dtype) {
  if (const auto reason = encoder_unavailable(form.config, dtype)) SKIP(*reason);
  for (const bool out_major : {true, false}) {
    RandomEncoder model(form.config, out_major, 5);
    form.change(model);
    check_encoder_weights(model.weights, "model");
    const auto engine = make_encoder(
        model.weights, {.dtype = dtype, .threads = 3, .max_batch_tokens = 0, .sharing = kShareAll});
    check_encoder(*engine, model.weights, dtype);
    for (const size_t length : {1, 2, 13, 14, 33, 65, 130, 300}) {
      if (!out_major && length > 33) continue;
      const std::vector<int32_t> ids = text(length, static_cast<uint32_t>(length));
      const std::vector<float> rows = embed(*engine, ids);
      CHECK(embed(*engine, ids, 3) == rows);
      const std::vector<double> expected = reference_encode(model.weights, ids);
      for (size_t i = 0; i < length; ++i) {
        double dot = 0, square = 0, other = 0;
        for (size_t d = i * 64; d < (i + 1) * 64; ++d) {
          const auto x = static_cast<double>(rows[d]);
          dot += x * expected[d];
          square += x * x;
          other += expected[d] * expected[d];
        }
        const double cosine = dot / std::sqrt(square * other);
        if (!(cosine >= 1 - slack_of(dtype)))
          fail(__FILE__, __LINE__, show(length) + " tokens, row " + show(i) + ": cosine " + show(cosine));
      }
    }
    // In a batch, each has the bits it has alone.
    std::vector<int32_t> ids;
    std::vector<uint32_t> offsets = {0};
    std::vector<float> alone;
    for (const size_t length : {65, 1, 200, 14}) {
      const std::vector<int32_t> one = text(length, static_cast<uint32_t>(length));
      const std::vector<float> rows = embed(*engine, one);
      alone.insert(alone.end(), rows.begin(), rows.end());
      ids.insert(ids.end(), one.begin(), one.end());
      offsets.push_back(static_cast<uint32_t>(ids.size()));
    }
    std::vector<float> together(alone.size());
    for (const size_t threads : {1, 2}) {
      engine->embed({ids, offsets}, Pooling::kNone, false, threads, together);
      CHECK(std::memcmp(together.data(), alone.data(), alone.size() * sizeof(float)) == 0);
    }
    if (dtype != "fp32") continue;
    // What others are measured by: the same, packed one layer at a time and all at once.
    for (const Pooling pooling : {Pooling::kMean, Pooling::kCls}) {
      std::vector<float> vectors(4 * form.config.hidden);
      engine->embed({ids, offsets}, pooling, false, 1, vectors);
      for (const size_t bytes : {size_t{1}, kMeasuredBytes})
        CHECK(vectors_in_float32(model.weights, {ids, offsets}, pooling, 2, StopFlag(), bytes) == vectors);
    }
  }
}

[[maybe_unused]] const bool added = [] {
  for (const std::string dtype : {"fp32", "bf16", "int8"})
    for (const Form& form : forms())
      add("encoder forms: " + form.name + " [" + dtype + "]", [form, dtype] { check_form(form, dtype); });
  return true;
}();

TEST("encoder forms: buckets of distances are T5's") {
  // transformers' MPNetEncoder.relative_position_bucket
  const std::pair<int64_t, size_t> known[] = {{0, 0},    {-1, 1},   {-7, 7},    {-8, 8},    {-11, 8},
                                              {-12, 9},  {-15, 9},  {-16, 10},  {-31, 11},  {-32, 12},
                                              {-63, 13}, {-64, 14}, {-128, 15}, {-500, 15}, {1, 17},
                                              {7, 23},   {8, 24},   {64, 30},   {128, 31},  {8191, 31}};
  for (const auto& [distance, bucket] : known) CHECK_EQ(relative_bucket(distance, 32), bucket);
}

TEST("encoder forms: a head reads the first row or the mean, with the types of a pair") {
  for (const bool mean : {false, true})
    for (const size_t labels : {1, 3, 33})
      for (const Activation activation : {Activation::kTanh, Activation::kRelu, Activation::kGeluErf}) {
        RandomEncoder model(small(), true);
        model.add_head(labels, mean, activation, labels == 3);
        check_encoder_weights(model.weights, "model");
        const auto engine = make_encoder(
            model.weights, {.dtype = "fp32", .threads = 2, .max_batch_tokens = 0, .sharing = kShareAll});
        CHECK_EQ(engine->info().labels, labels);
        check_encoder(*engine, model.weights, "fp32");
        std::vector<int32_t> ids, types;
        std::vector<uint32_t> offsets = {0};
        std::vector<double> expected;
        for (const size_t length : {5, 40, 1}) {
          const std::vector<int32_t> one = text(length, static_cast<uint32_t>(length));
          std::vector<int32_t> of_one(length);
          for (size_t i = length / 3; i < length; ++i) of_one[i] = 1;
          const std::vector<double> logits =
              reference_score(model.weights, reference_encode(model.weights, one, StopFlag(), of_one));
          expected.insert(expected.end(), logits.begin(), logits.end());
          ids.insert(ids.end(), one.begin(), one.end());
          types.insert(types.end(), of_one.begin(), of_one.end());
          offsets.push_back(static_cast<uint32_t>(ids.size()));
        }
        std::vector<float> out(3 * labels);
        for (const size_t threads : {1, 2}) {
          engine->embed({ids, offsets, types}, Pooling::kScore, false, threads, out);
          for (size_t i = 0; i < out.size(); ++i) CHECK_NEAR(out[i], expected[i], 2e-5);
        }
        types[4] = 2;
        CHECK_THROWS(Error, engine->embed({ids, offsets, types}, Pooling::kScore, false, 1, out),
                     "token type 2");
        types.pop_back();
        CHECK_THROWS(Error, engine->embed({ids, offsets, types}, Pooling::kScore, false, 1, out), "types of");
      }
}

TEST("encoder forms: a model of one token type, or of none, is given none") {
  EncoderConfig config = small();
  config.token_types = 1;
  RandomEncoder model(config, true);
  model.add_head(1, false, Activation::kTanh, false);
  const auto engine = make_encoder(model.weights, {.dtype = "fp32", .threads = 1, .max_batch_tokens = 0});
  const std::vector<int32_t> ids = {1, 2, 3}, types = {0, 1, 1};
  const uint32_t offsets[] = {0, 3};
  std::vector<float> with(1), without(1);
  engine->embed({ids, offsets, types}, Pooling::kScore, false, 1, with);
  engine->embed({ids, offsets}, Pooling::kScore, false, 1, without);
  CHECK_EQ(with[0], without[0]);
}

TEST("encoder forms: a self-test notices a head that is none of the model's") {
  RandomEncoder model(small(), true);
  model.add_head(2, false, Activation::kTanh, false);
  const auto engine = make_encoder(model.weights, {.dtype = "fp32", .threads = 1, .max_batch_tokens = 0});
  model.numbers(model.weights.head->classifier.weight)[70] += 1;
  CHECK_THROWS(Error, check_encoder(*engine, model.weights, "fp32"), "logits");
}

}  // namespace
