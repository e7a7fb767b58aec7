#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <thread>

#include "engine/cuda/device/plan.hpp"
#include "engine/cuda/random_encoder.hpp"

namespace gteway::cuda::test {
namespace {

const GtewayCudaApi& api() {
  const GtewayCudaApi* table = gteway_cuda_api(GTEWAY_CUDA_ABI);
  if (table == nullptr) throw std::runtime_error("the library does not speak its own version");
  return *table;
}

class LoadedModel {
 public:
  explicit LoadedModel(const RandomEncoder& encoder) : config_(encoder.config) {
    GtewayCudaStatus status = {};
    if (api().create(&config_, &model_, &status) != kGtewayCudaOk) throw std::runtime_error(status.message);
    encoder.give_to(api(), model_);
    code = api().finish(model_, &max_batch_tokens, &status);
    message = status.message;
  }
  ~LoadedModel() { api().destroy(model_); }
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;

  std::vector<float> embed(const std::vector<std::vector<int32_t>>& texts,
                           GtewayCudaPooling pooling = kGtewayCudaMean, bool normalize = true,
                           uint32_t layers = 0) {
    std::vector<int32_t> ids;
    std::vector<uint32_t> offsets{0};
    for (const auto& text : texts) {
      ids.insert(ids.end(), text.begin(), text.end());
      offsets.push_back(static_cast<uint32_t>(ids.size()));
    }
    std::vector<float> out((pooling == kGtewayCudaNone ? ids.size() : texts.size()) * config_.hidden, NAN);
    const GtewayCudaBatch batch = {ids.data(), offsets.data(), static_cast<uint32_t>(texts.size()),
                                   pooling,    normalize,      layers,
                                   out.data()};
    GtewayCudaStatus status = {};
    code = api().embed(model_, &batch, &status);
    message = status.message;
    return out;
  }
  GtewayCudaModel* get() { return model_; }

  uint32_t max_batch_tokens = 0;
  int32_t code = 0;
  std::string message;

 private:
  GtewayCudaConfig config_;
  GtewayCudaModel* model_ = nullptr;
};

std::vector<std::vector<int32_t>> texts_of(const std::vector<size_t>& lengths, uint32_t seed = 3) {
  Random random(seed);
  std::vector<std::vector<int32_t>> texts;
  for (const size_t length : lengths) {
    auto& text = texts.emplace_back();
    for (size_t i = 0; i < length; ++i) text.push_back(static_cast<int32_t>(random.below(60)));
  }
  return texts;
}

double cosine(const std::vector<double>& a, const float* b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

bool same_bits(const float* a, const float* b, size_t count) { return std::equal(a, a + count, b); }

void check_forward(RandomEncoder encoder, const std::vector<size_t>& lengths) {
  need_device();
  LoadedModel model(encoder);
  const auto texts = texts_of(lengths);
  const uint32_t hidden = encoder.config.hidden;
  std::vector<std::vector<std::vector<double>>> expected;
  for (const auto& text : texts) expected.push_back(encoder.rows(text, encoder.config.layers));
  const auto together = model.embed(texts);
  const auto firsts = model.embed(texts, kGtewayCudaCls, false);
  const auto rows = model.embed(texts, kGtewayCudaNone, true);
  CHECK_EQ(model.code, kGtewayCudaOk);
  size_t token = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    CHECK(cosine(RandomEncoder::pooled(expected[i], kGtewayCudaMean), &together[i * hidden]) > 0.9999);
    CHECK(cosine(RandomEncoder::pooled(expected[i], kGtewayCudaCls), &firsts[i * hidden]) > 0.9999);
    double squares = 0;
    for (uint32_t c = 0; c < hidden; ++c) {
      const float value = together[i * hidden + c];
      squares += static_cast<double>(value) * value;
    }
    CHECK_NEAR(squares, 1, 1e-6);
    for (size_t t = 0; t < texts[i].size(); ++t, ++token)
      CHECK(cosine(expected[i][t], &rows[token * hidden]) > 0.9995);
    // Alone, through a graph, the same bits.
    const auto alone = model.embed({texts[i]});
    CHECK(same_bits(alone.data(), &together[i * hidden], hidden));
    const auto again = model.embed({texts[i]});
    CHECK(same_bits(again.data(), alone.data(), hidden));
  }
}

}  // namespace

TEST("cuda library: the encoder against float64, bf16, heads of 32") {
  check_forward(RandomEncoder(kGtewayCudaBf16, 128, 4, 2), {5, 40, 16, 1, 70, 33, 17});
}
TEST("cuda library: the encoder against float64, fp16, heads of 64, GELU by tanh") {
  RandomEncoder encoder(kGtewayCudaFp16, 256, 4, 1);
  encoder.config.gelu_tanh = 1;
  check_forward(encoder, {3, 65, 20});
}

TEST("cuda library: a batch larger than the working memory is cut, and nothing changes") {
  need_device();
  const RandomEncoder encoder(kGtewayCudaBf16, 128, 4, 1);
  RandomEncoder small = encoder;
  small.config.max_batch_tokens = 160;
  LoadedModel one(encoder), cut(small);
  CHECK_EQ(cut.max_batch_tokens, 160u);
  const auto texts = texts_of({70, 90, 3, 150, 12, 31});
  for (const auto pooling : {kGtewayCudaMean, kGtewayCudaNone}) {
    const auto whole = one.embed(texts, pooling), parts = cut.embed(texts, pooling);
    CHECK(whole.size() == parts.size() && same_bits(whole.data(), parts.data(), whole.size()));
  }
}

TEST("cuda library: the first layers alone") {
  need_device();
  const RandomEncoder encoder(kGtewayCudaFp16, 128, 2, 2);
  LoadedModel model(encoder);
  const auto texts = texts_of({9});
  const auto got = model.embed(texts, kGtewayCudaMean, true, 1);
  CHECK(cosine(RandomEncoder::pooled(encoder.rows(texts[0], 1), kGtewayCudaMean), got.data()) > 0.9999);
}

TEST("cuda library: several threads at once, each its own result") {
  need_device();
  const RandomEncoder encoder(kGtewayCudaBf16, 128, 4, 1);
  LoadedModel model(encoder);
  const auto texts = texts_of({5, 30, 50, 9});
  std::vector<std::vector<float>> alone, together(texts.size());
  for (const auto& text : texts) alone.push_back(model.embed({text}));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < texts.size(); ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 3; ++round) {
        const std::vector<uint32_t> offsets{0, static_cast<uint32_t>(texts[i].size())};
        together[i].assign(128, NAN);
        const GtewayCudaBatch batch = {texts[i].data(),   offsets.data(), 1, kGtewayCudaMean, 1, 0,
                                       together[i].data()};
        GtewayCudaStatus status = {};
        if (api().embed(model.get(), &batch, &status) != kGtewayCudaOk) together[i][0] = NAN;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(alone == together);
}

TEST("cuda library: bad input is refused with the value that is wrong") {
  need_device();
  const RandomEncoder encoder(kGtewayCudaBf16, 128, 4, 1);
  LoadedModel model(encoder);
  const auto refused = [&](const std::vector<std::vector<int32_t>>& texts, const char* part) {
    model.embed(texts);
    CHECK_EQ(model.code, kGtewayCudaInvalid);
    CHECK(model.message.find(part) != std::string::npos);
  };
  refused({{1, 2}, {3, 60}}, "id 60");
  refused({{-1}}, "id -1");
  refused({{1}, {}}, "sequence 1 has no tokens");
  refused(texts_of({161}), "161 tokens of at most 160");
  model.embed(texts_of({4}));
  CHECK_EQ(model.code, kGtewayCudaOk);

  GtewayCudaStatus status = {};
  GtewayCudaModel* none = nullptr;
  const auto unsupported = [&](auto change, const char* part) {
    GtewayCudaConfig config = encoder.config;
    change(config);
    CHECK_EQ(api().create(&config, &none, &status), kGtewayCudaUnsupported);
    CHECK(std::string(status.message).find(part) != std::string::npos);
  };
  unsupported([](auto& c) { c.hidden = 96, c.heads = 3; }, "hidden size 96");
  unsupported([](auto& c) { c.heads = 1; }, "head size 128");
  unsupported([](auto& c) { c.intermediate = 100; }, "intermediate size 100");
  const float value = 1;
  CHECK_EQ(api().create(&encoder.config, &none, &status), kGtewayCudaOk);
  uint32_t tokens = 0;
  CHECK_EQ(api().set(none, kGtewayCudaUp, 1, 0, 1, &value, &status), kGtewayCudaInvalid);
  CHECK_EQ(api().set(none, kGtewayCudaUp, 0, 5, 1, &value, &status), kGtewayCudaInvalid);
  CHECK_EQ(api().finish(none, &tokens, &status), kGtewayCudaInvalid);
  CHECK(std::string(status.message).find("0 of 7680 elements") != std::string::npos);
  api().destroy(none);
  CHECK(gteway_cuda_api(GTEWAY_CUDA_ABI + 1) == nullptr);
}

TEST("cuda library: after terminate() every call is aborted") {
  need_device();
  LoadedModel model(RandomEncoder(kGtewayCudaBf16, 128, 4, 1));
  api().terminate(model.get());
  model.embed(texts_of({4}));
  CHECK_EQ(model.code, kGtewayCudaAborted);
}

TEST("cuda library: fp16 refuses a weight beyond its range, bf16 takes it") {
  need_device();
  for (const auto type : {kGtewayCudaFp16, kGtewayCudaBf16}) {
    const RandomEncoder encoder(type, 128, 4, 1);
    GtewayCudaStatus status = {};
    GtewayCudaModel* model = nullptr;
    CHECK_EQ(api().create(&encoder.config, &model, &status), kGtewayCudaOk);
    const float values[] = {1, 70000};
    CHECK_EQ(api().set(model, kGtewayCudaUp, 0, 0, 2, values, &status),
             type == kGtewayCudaFp16 ? kGtewayCudaUnsupported : kGtewayCudaOk);
    api().destroy(model);
  }
}

TEST("cuda plan: parts of a batch are whole sequences within the limits") {
  const std::vector<uint32_t> offsets{0, 10, 30, 35, 135, 140, 141};
  const auto parts = [&](size_t tokens, size_t sequences) {
    std::vector<size_t> ends;
    for (size_t first = 0; first < 6;) {
      const BatchPart part = next_part(offsets, first, tokens, sequences);
      CHECK_EQ(part.first, first);
      CHECK(part.last > first);
      CHECK(part.last - first == 1 || offsets[part.last] - offsets[first] <= tokens);
      ends.push_back(first = part.last);
    }
    return ends;
  };
  CHECK(parts(1000, 1000) == (std::vector<size_t>{6}));
  CHECK(parts(35, 1000) == (std::vector<size_t>{3, 4, 6}));
  CHECK(parts(1000, 2) == (std::vector<size_t>{2, 4, 6}));
  CHECK(parts(1, 1000) == (std::vector<size_t>{1, 2, 3, 4, 5, 6}));
}

TEST("cuda plan: graphs by length, and memory that no array shares with another it lives beside") {
  CHECK_EQ(graph_index(1), 0u);
  CHECK_EQ(graph_index(16), 0u);
  CHECK_EQ(graph_index(17), 1u);
  CHECK_EQ(graph_index(512), 5u);
  for (const size_t tokens : {1, 100, 32768}) {
    const auto at = WorkspaceLayout::of(tokens, 384, 1536);
    CHECK(at.statistics >= tokens * 384 * 4 && at.x >= at.statistics + tokens * 8);
    CHECK(at.qkv >= at.x + tokens * 384 * 2 && at.context >= at.qkv + tokens * 384 * 6);
    CHECK(at.bytes >= at.context + tokens * 384 * 2 && at.bytes >= at.inner + tokens * 1536 * 2);
    CHECK(at.bytes >= at.out + tokens * 384 * 4);
    for (const size_t offset : {at.statistics, at.x, at.qkv, at.context, at.inner, at.out})
      CHECK_EQ(offset % kAlignment, 0u);
  }
}

}  // namespace gteway::cuda::test
