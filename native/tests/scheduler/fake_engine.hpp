// An engine that only pretends to compute, so that what is tested is order, sharing and lifetime.
#pragma once

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/client.hpp"
#include "test.hpp"

namespace gteway {

// What happens in all the engines that share it.
struct FakeDevice {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = true;  // closed: embed() waits
  int waiting = 0;   // in embed() while it is closed
  int engines = 0;   // alive
  bool terminated = false;
  std::vector<std::vector<size_t>> batches;  // token counts of each, in order
  std::vector<size_t> threads;               // that each was given

  void shut() {
    const std::lock_guard lock(mutex);
    open = false;
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  void wait_until_busy(int workers = 1) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting >= workers; });
  }
  size_t batch_count() {
    const std::lock_guard lock(mutex);
    return batches.size();
  }
};

// Rows, of pooling kMean and kCls, say what they were made of: [number of tokens, first id, sum of ids, 1];
// of kNone, for each token: [number of tokens, its id, its place, 1]; of kScore, where it has labels:
// [sum of ids, sum of the ids of type 1].
class FakeEngine : public Engine {
 public:
  static constexpr size_t kDimensions = 4, kLabels = 2;
  // Ids of words: "bad" makes embed() throw, "nan" makes the row NaN.
  static constexpr int32_t kPoison = 9, kNan = 10;

  FakeEngine(CostModel cost, std::shared_ptr<FakeDevice> device, size_t labels = kLabels)
      : cost_(cost), device_(std::move(device)) {
    info_ = {.engine = "fake", .device = "cpu", .dtype = "fp32", .dimensions = kDimensions, .labels = labels};
    const std::lock_guard lock(device_->mutex);
    ++device_->engines;
    device_->terminated = false;
  }
  ~FakeEngine() override {
    const std::lock_guard lock(device_->mutex);
    --device_->engines;
  }
  const EngineInfo& info() const noexcept override { return info_; }
  const CostModel& cost() const noexcept override { return cost_; }

  void embed(const RaggedBatch& batch, Pooling pooling, bool, size_t threads, std::span<float> out) override {
    {
      std::unique_lock lock(device_->mutex);
      device_->batches.emplace_back();
      for (size_t i = 0; i < batch.size(); ++i) device_->batches.back().push_back(batch.length(i));
      device_->threads.push_back(threads);
      ++device_->waiting;
      device_->changed.notify_all();
      device_->changed.wait(lock, [this] { return device_->open || device_->terminated; });
      --device_->waiting;
      if (device_->terminated) throw Error(ErrorCode::kAborted, "terminated");
    }
    auto to = out.begin();
    for (size_t i = 0; i < batch.size(); ++i) {
      const std::span<const int32_t> ids = batch.sequence(i);
      if (std::find(ids.begin(), ids.end(), kPoison) != ids.end())
        throw Error(ErrorCode::kInferenceFailed, "poisoned");
      const auto length = static_cast<float>(ids.size());
      float sum = 0;
      for (const int32_t id : ids) sum += static_cast<float>(id);
      if (std::find(ids.begin(), ids.end(), kNan) != ids.end()) sum = std::nanf("");
      if (pooling == Pooling::kScore) {
        float second = 0;
        for (size_t t = batch.offsets[i]; !batch.types.empty() && t < batch.offsets[i + 1]; ++t)
          if (batch.types[t] == 1) second += static_cast<float>(batch.ids[t]);
        *to++ = sum;
        *to++ = second;
      } else if (pooling == Pooling::kNone) {
        for (size_t t = 0; t < ids.size(); ++t)
          for (const float value : {length, static_cast<float>(ids[t]), static_cast<float>(t), 1.0F})
            *to++ = value;
      } else {
        for (const float value : {length, static_cast<float>(ids[0]), sum, 1.0F}) *to++ = value;
      }
    }
  }
  void terminate() noexcept override {
    const std::lock_guard lock(device_->mutex);
    device_->terminated = true;
    device_->changed.notify_all();
  }

 private:
  const CostModel cost_;
  EngineInfo info_;
  const std::shared_ptr<FakeDevice> device_;
};

inline std::shared_ptr<const Tokenizer> fake_tokenizer() {
  TokenizerConfig config;
  config.vocabulary_tokens = {"[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "bad", "nan"};
  config.vocabulary_ids = {0, 1, 2, 3, 4, 5, FakeEngine::kPoison, FakeEngine::kNan};
  config.unk_token = "[UNK]";
  config.continuing_subword_prefix = "##";
  config.prefix_ids = {1};
  config.suffix_ids = {2};
  config.pair = {{1, 0}, {TemplatePiece::kFirstText, 0}, {2, 0}, {TemplatePiece::kSecondText, 1}, {2, 1}};
  return std::make_shared<const Tokenizer>(std::move(config));
}

struct Outcome {
  std::optional<Embedded> result;
  std::optional<Error> error;
};

inline TextBlock text_block(const std::vector<std::string>& texts) {
  TextBlock block;
  for (const std::string& text : texts) {
    block.bytes.insert(block.bytes.end(), text.begin(), text.end());
    block.ends.push_back(block.bytes.size());
  }
  return block;
}

// Rows are not normalised and keep all values, unless `options` says how many.
inline EmbedOptions filled(EmbedOptions options) {
  if (options.max_tokens == 0) options.max_tokens = 512;
  if (options.dimensions == 0) {
    options.dimensions = FakeEngine::kDimensions;
    options.normalize = false;
  }
  return options;
}

inline std::future<Outcome> submit(Client& client, uint64_t number, const std::vector<std::string>& texts,
                                   const EmbedOptions& options = {}) {
  auto promise = std::make_shared<std::promise<Outcome>>();
  client.submit({.number = number,
                 .texts = text_block(texts),
                 .options = filled(options),
                 .done = [promise](std::optional<Embedded> result, std::optional<Error> error) {
                   promise->set_value({std::move(result), std::move(error)});
                 }});
  return promise->get_future();
}

// Each text with its query; `of` as in Queries.
inline std::future<Outcome> submit_pairs(Client& client, uint64_t number,
                                         const std::vector<std::string>& queries, std::vector<uint32_t> of,
                                         const std::vector<std::string>& texts, EmbedOptions options = {}) {
  options.pooling = Pooling::kScore;
  options.dimensions = FakeEngine::kLabels;
  options.normalize = true;  // which scores never are
  auto promise = std::make_shared<std::promise<Outcome>>();
  client.submit({.number = number,
                 .texts = text_block(texts),
                 .queries = {text_block(queries), std::move(of)},
                 .options = filled(options),
                 .done = [promise](std::optional<Embedded> result, std::optional<Error> error) {
                   promise->set_value({std::move(result), std::move(error)});
                 }});
  return promise->get_future();
}

// Of all rows end to end.
inline float value_at(const Embedded& result, size_t index) {
  for (const FloatBuffer& piece : result.pieces) {
    if (index < piece.size()) return piece[index];
    index -= piece.size();
  }
  CHECK(false);
  return 0;
}

inline bool settled(const std::future<Outcome>& call) {
  return call.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

inline void check_code(const Outcome& outcome, ErrorCode code) {
  CHECK(outcome.error.has_value());
  if (outcome.error) CHECK_EQ(outcome.error->code, code);
}

// A scheduler with one client.
struct Fixture {
  explicit Fixture(size_t threads = 2,
                   ClientOptions options = {.max_queue = 100'000, .max_queue_bytes = 1 << 24},
                   CostModel cost = {.padded = false, .max_batch_tokens = 64})
      : device(std::make_shared<FakeDevice>()),
        scheduler(std::make_shared<Scheduler>(threads,
                                              [cost, keep = device](std::vector<Fallback>&, const auto&) {
                                                return std::make_unique<FakeEngine>(cost, keep);
                                              })),
        client(connect(options)) {}

  std::unique_ptr<Client> connect(ClientOptions options = {.max_queue = 100'000,
                                                           .max_queue_bytes = 1 << 24}) {
    return Client::connect(scheduler, options, fake_tokenizer(), [](const Loaded&) {});
  }
  std::future<Outcome> submit(uint64_t number, const std::vector<std::string>& texts,
                              const EmbedOptions& options = {}) {
    return gteway::submit(*client, number, texts, options);
  }

  std::shared_ptr<FakeDevice> device;
  std::shared_ptr<Scheduler> scheduler;
  std::unique_ptr<Client> client;
};

}  // namespace gteway
