// The scheduler with an engine that only pretends to compute, so that what is tested is order, sharing and
// lifetime. scripts/test-sanitizers.sh runs these under ThreadSanitizer.
#include "scheduler/scheduler.hpp"

#include <future>
#include <mutex>

#include "test.hpp"

namespace gteway {
namespace {

// Rows say what they were made of: [number of tokens, first id, sum of ids, rows in the batch].
class FakeEngine final : public Engine {
 public:
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = true;
    int waiting = 0;
    bool terminated = false;
  };

  FakeEngine(CostModel cost, std::shared_ptr<Gate> gate) : cost_(cost), gate_(std::move(gate)) {
    info_ = {.engine = "fake", .device = "cpu", .dtype = "fp32", .dimensions = 4};
  }
  const EngineInfo& info() const noexcept override { return info_; }
  const CostModel& cost() const noexcept override { return cost_; }
  void embed(const RaggedBatch& batch, Pooling, bool, size_t, std::span<float> out) override {
    {
      std::unique_lock lock(gate_->mutex);
      ++gate_->waiting;
      gate_->changed.notify_all();
      gate_->changed.wait(lock, [this] { return gate_->open || gate_->terminated; });
      --gate_->waiting;
      if (gate_->terminated) throw Error(ErrorCode::kAborted, "terminated");
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      float sum = 0;
      for (const int32_t id : batch.sequence(i)) {
        if (id == kPoison) throw Error(ErrorCode::kInferenceFailed, "poisoned");
        sum += static_cast<float>(id);
      }
      const float row[4] = {static_cast<float>(batch.length(i)), static_cast<float>(batch.sequence(i)[0]),
                            sum, static_cast<float>(batch.size())};
      std::copy(row, row + 4, out.begin() + static_cast<ptrdiff_t>(4 * i));
    }
  }
  void terminate() noexcept override {
    const std::lock_guard lock(gate_->mutex);
    gate_->terminated = true;
    gate_->changed.notify_all();
  }

  static constexpr int32_t kPoison = 9;

 private:
  CostModel cost_;
  EngineInfo info_;
  std::shared_ptr<Gate> gate_;
};

std::shared_ptr<const Tokenizer> tokenizer() {
  TokenizerConfig config;
  config.vocabulary_tokens = {"[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "bad"};
  config.vocabulary_ids = {0, 1, 2, 3, 4, 5, FakeEngine::kPoison};
  config.unk_token = "[UNK]";
  config.continuing_subword_prefix = "##";
  config.prefix_ids = {1};
  config.suffix_ids = {2};
  return std::make_shared<const Tokenizer>(std::move(config));
}

struct Outcome {
  std::optional<Embedded> result;
  std::optional<Error> error;
};

struct Fixture {
  explicit Fixture(size_t threads = 2, size_t max_queue = 1000,
                   CostModel cost = {.padded = false, .max_batch_tokens = 64})
      : gate(std::make_shared<FakeEngine::Gate>()),
        scheduler(
            {.threads = threads, .max_queue = max_queue}, tokenizer(),
            [cost, keep = gate](std::vector<Fallback>&) { return std::make_unique<FakeEngine>(cost, keep); },
            [](Loaded) {}) {}

  std::future<Outcome> submit(uint64_t number, const std::vector<std::string>& texts,
                              EmbedOptions options = {}) {
    auto promise = std::make_shared<std::promise<Outcome>>();
    Submission submission;
    submission.number = number;
    for (const std::string& text : texts) {
      submission.texts.bytes.insert(submission.texts.bytes.end(), text.begin(), text.end());
      submission.texts.ends.push_back(submission.texts.bytes.size());
    }
    if (options.max_tokens == 0) options.max_tokens = 512;
    if (options.dimensions == 0) options.dimensions = 4;
    submission.options = options;
    submission.done = [promise](std::optional<Embedded> result, std::optional<Error> error) {
      promise->set_value({std::move(result), std::move(error)});
    };
    scheduler.submit(std::move(submission));
    return promise->get_future();
  }

  void shut() {
    const std::lock_guard lock(gate->mutex);
    gate->open = false;
  }
  void open() {
    const std::lock_guard lock(gate->mutex);
    gate->open = true;
    gate->changed.notify_all();
  }
  void wait_until_busy(int workers = 1) {
    std::unique_lock lock(gate->mutex);
    gate->changed.wait(lock, [&] { return gate->waiting >= workers; });
  }

  std::shared_ptr<FakeEngine::Gate> gate;
  Scheduler scheduler;
};

void check_code(const Outcome& outcome, ErrorCode code) {
  CHECK(outcome.error.has_value());
  if (outcome.error) CHECK_EQ(outcome.error->code, code);
}

TEST("scheduler: rows come back in the order of the texts, with their token counts") {
  Fixture fixture;
  const Outcome outcome = fixture.submit(1, {"a", "a b c", "", "b b"}).get();
  CHECK(outcome.result.has_value());
  CHECK_EQ(outcome.result->tokens, (std::vector<uint32_t>{3, 5, 2, 4}));
  CHECK_EQ(outcome.result->truncated, (std::vector<uint8_t>{0, 0, 0, 0}));
  const float sums[] = {6, 15, 3, 11};
  for (size_t i = 0; i < 4; ++i) {
    CHECK_EQ(outcome.result->data[4 * i], static_cast<float>(outcome.result->tokens[i]));
    CHECK_EQ(outcome.result->data[4 * i + 2], sums[i]);
  }
}

TEST("scheduler: no texts end at once, with no rows") {
  Fixture fixture;
  const Outcome outcome = fixture.submit(1, {}).get();
  CHECK(outcome.result.has_value());
  CHECK_EQ(outcome.result->data.size(), 0u);
}

TEST("scheduler: ten thousand texts through several workers each find their own row") {
  Fixture fixture(3, 100'000);
  std::vector<std::string> texts(10'000);
  for (size_t i = 0; i < texts.size(); ++i)
    for (size_t n = 0; n < i % 23; ++n) texts[i] += "c ";
  const Outcome outcome = fixture.submit(1, texts).get();
  CHECK(outcome.result.has_value());
  for (size_t i = 0; i < texts.size(); ++i)
    CHECK_EQ(outcome.result->data[4 * i], static_cast<float>(2 + i % 23));
}

TEST("scheduler: truncate = false turns a long text into an error that numbers it") {
  Fixture fixture;
  const Outcome outcome = fixture.submit(1, {"a", "a a a a"}, {.truncate = false, .max_tokens = 4}).get();
  check_code(outcome, ErrorCode::kTextTooLong);
  CHECK(std::string(outcome.error->what()).find("text 1") != std::string::npos);
}

TEST("scheduler: a failing batch fails its call and no other") {
  Fixture fixture;
  auto bad = fixture.submit(1, {"a", "bad", "b"});
  auto good = fixture.submit(2, {"a", "b"});
  check_code(bad.get(), ErrorCode::kInferenceFailed);
  CHECK(good.get().result.has_value());
}

TEST("scheduler: a full queue refuses, what is in flight is not harmed, and room comes back") {
  Fixture fixture(1, 3);
  fixture.shut();
  auto first = fixture.submit(1, {"a", "b"});
  fixture.wait_until_busy();
  CHECK_THROWS(Error, fixture.submit(2, {"a", "b"}), "maxQueue (3)");
  auto fits = fixture.submit(3, {"a"});
  fixture.open();
  CHECK(first.get().result.has_value());
  CHECK(fits.get().result.has_value());
  CHECK(fixture.submit(4, {"a", "b", "c"}).get().result.has_value());
}

TEST("scheduler: an idle scheduler takes a call larger than its queue") {
  Fixture fixture(2, 3);
  CHECK(fixture.submit(1, std::vector<std::string>(50, "a")).get().result.has_value());
}

TEST("scheduler: cancelling a queued call ends it at once, before the running one") {
  Fixture fixture(1);
  fixture.shut();
  auto running = fixture.submit(1, {"a"});
  fixture.wait_until_busy();
  auto queued = fixture.submit(2, {"b"});
  fixture.scheduler.cancel(2);
  check_code(queued.get(), ErrorCode::kAborted);
  fixture.open();
  CHECK(running.get().result.has_value());
}

TEST("scheduler: cancelling a running call drops the rest of it") {
  Fixture fixture(1, 1000, {.padded = false, .max_batch_tokens = 3});
  fixture.shut();
  auto call = fixture.submit(1, std::vector<std::string>(100, "a"));
  fixture.wait_until_busy();
  fixture.scheduler.cancel(1);
  fixture.open();
  check_code(call.get(), ErrorCode::kAborted);
  CHECK(fixture.submit(2, {"a"}).get().result.has_value());
}

TEST("scheduler: cancelling what has ended or never was is harmless") {
  Fixture fixture;
  CHECK(fixture.submit(1, {"a"}).get().result.has_value());
  fixture.scheduler.cancel(1);
  fixture.scheduler.cancel(77);
}

TEST("scheduler: a short call overtakes a long one") {
  Fixture fixture(1, 1000, {.padded = false, .max_batch_tokens = 3});
  fixture.shut();
  auto bulk = fixture.submit(1, std::vector<std::string>(200, "a"));
  fixture.wait_until_busy();
  auto brief = fixture.submit(2, {"b"});
  fixture.open();
  CHECK(brief.get().result.has_value());
  CHECK(bulk.wait_for(std::chrono::seconds(0)) == std::future_status::timeout || bulk.valid());
  CHECK(bulk.get().result.has_value());
}

TEST("scheduler: close ends every call with kClosed, running and queued, and refuses new ones") {
  Fixture fixture(2);
  fixture.shut();
  std::vector<std::future<Outcome>> calls;
  for (uint64_t i = 0; i < 10; ++i) calls.push_back(fixture.submit(i, {"a", "b"}));
  fixture.wait_until_busy();
  std::promise<void> closed;
  fixture.scheduler.close([&closed] { closed.set_value(); });
  for (std::future<Outcome>& call : calls) check_code(call.get(), ErrorCode::kClosed);
  closed.get_future().get();
  CHECK_THROWS(Error, fixture.submit(99, {"a"}), "closed");
  std::promise<void> again;
  fixture.scheduler.close([&again] { again.set_value(); });
  again.get_future().get();
}

TEST("scheduler: a failed load reports its error, and calls made meanwhile end") {
  std::promise<Loaded> loaded;
  Scheduler scheduler(
      {.threads = 2, .max_queue = 10}, tokenizer(),
      [](std::vector<Fallback>&) -> std::unique_ptr<Engine> {
        throw Error(ErrorCode::kModelInvalid, "no model");
      },
      [&loaded](Loaded outcome) { loaded.set_value(std::move(outcome)); });
  const Loaded outcome = loaded.get_future().get();
  CHECK(outcome.error.has_value());
  CHECK_EQ(outcome.error->code, ErrorCode::kModelInvalid);
}

TEST("scheduler: many threads submitting, cancelling and closing at once settle every call exactly once") {
  for (int round = 0; round < 20; ++round) {
    auto fixture = std::make_unique<Fixture>(3, 100'000);
    std::atomic<int> settled{0}, submitted{0};
    std::vector<std::thread> clients;
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&, client] {
        for (int i = 0; i < 50; ++i) {
          const uint64_t number = static_cast<uint64_t>(client * 1000 + i);
          try {
            Submission submission;
            submission.number = number;
            submission.texts.bytes = {'a', ' ', 'b'};
            submission.texts.ends = {1, 3};
            submission.options.max_tokens = 8;
            submission.options.dimensions = 4;
            submission.done = [&settled](std::optional<Embedded>, std::optional<Error>) { ++settled; };
            fixture->scheduler.submit(std::move(submission));
            ++submitted;
          } catch (const Error&) {
            continue;  // closed meanwhile
          }
          if (i % 3 == 0) fixture->scheduler.cancel(number);
          if (client == 0 && i == 25) fixture->scheduler.close();
        }
      });
    }
    for (std::thread& client : clients) client.join();
    fixture.reset();
    CHECK_EQ(settled.load(), submitted.load());
  }
}

}  // namespace
}  // namespace gteway
