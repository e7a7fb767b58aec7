// Every allocation that loading, embedding and closing make fails once: the call that needed it is told, and
// nothing else notices.
#include <algorithm>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "engine/encoder/encoder_loading.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "scheduler/fake_engine.hpp"
#include "scheduler/registry.hpp"

namespace gteway {
namespace {

constexpr EncoderConfig kTiny{.vocabulary = 16,
                              .positions = 16,
                              .token_types = 2,
                              .hidden = 64,
                              .layers = 1,
                              .heads = 2,
                              .head_size = 32,
                              .intermediate = 64};

const ClientOptions kOptions{.max_queue = 8, .max_queue_bytes = 1 << 20, .cache_bytes = 1 << 12};

EmbedOptions options(EmbedOptions from) {
  from.max_tokens = 6;
  from.dimensions = kTiny.hidden;
  return from;
}

// What one session sees in its life. Only what the library does is counted.
class Life {
 public:
  Life(const EncoderWeights& weights, std::shared_ptr<const Tokenizer> tokenizer, size_t failing) {
    test::begin_counting(failing);
    const auto make = [&weights](std::vector<Fallback>& fallbacks,
                                 const std::shared_ptr<const StopFlag>& stop) {
      fallbacks.push_back({"something better, said in words", "that was not to be had on this machine"});
      auto engine = make_encoder(weights, {.dtype = "fp32", .threads = 2}, *stop);
      check_encoder(*engine, weights, "fp32", *stop);
      return engine;
    };
    try {
      const test::Counted by_the_library;
      client_ =
          connect("out of memory", 2, make, kOptions, std::move(tokenizer), [this](const Loaded& loaded) {
            const test::Uncounted by_the_test;
            const std::lock_guard lock(mutex_);
            if (loaded.error) failures_.push_back(loaded.error->code);
            loaded_.set_value(!loaded.error.has_value());
          });
    } catch (...) {
      failures_.push_back(current_error().code);
      return;
    }
    // Some before it is loaded, some after.
    submit(1, {"a b c"}, {});
    submit(2, {"a", "b", "a", "a b c a b c a b c"}, {.truncate = false, .item_errors = true});
    const bool there = loaded_.get_future().get();
    settle();
    for (uint64_t round = 0; there && round < 2; ++round) {
      const uint64_t call = 10 * (round + 1);
      submit(call, {"a b c", "a b", "a b c"}, {});
      submit(call + 1, {"c", "b c", "b"}, {.pooling = Pooling::kNone});
      submit(call + 2, std::vector<std::string>(7, "b b"), {.wait = true});
      submit(call + 3, {"a a", std::string(9000, 'a'), std::string(9000, 'b')}, {.wait = true});
      client_->cancel(call + 2);
      (void)client_->stats();
      settle();
    }
    settle();
    works_ = there && submit(100, {"a b c"}, {});
    allocations = test::allocations();
    test::begin_counting(0);
  }

  size_t allocations = 0;

  // After a failure the next call is served as if nothing had been.
  std::optional<std::vector<float>> next_call() {
    settle();
    if (!client_ || !works_) return std::nullopt;
    if (!submit(1000, {"b c a"}, {})) return std::vector<float>();
    return settle();
  }

  void close() {
    if (!client_) return;
    std::promise<void> closed;
    client_->close([&closed] {
      const test::Uncounted by_the_test;
      closed.set_value();
    });
    closed.get_future().get();
  }

  std::vector<ErrorCode> failures() {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

 private:
  bool submit(uint64_t number, const std::vector<std::string>& texts, EmbedOptions from) {
    Submission submission = {
        .number = number, .texts = text_block(texts), .options = options(from), .done = {}};
    submission.done = [this](std::optional<Embedded> result, std::optional<Error> error) {
      const test::Uncounted by_the_test;
      const std::lock_guard lock(mutex_);
      if (error) failures_.push_back(error->code);
      if (result) {
        rows_.resize(result->values());
        result->copy_to(rows_.data());
        for (const ItemError& item : result->errors) failures_.push_back(item.error.code);
      }
      if (--pending_ == 0) changed_.notify_all();
    };
    {
      const std::lock_guard lock(mutex_);
      ++pending_;
    }
    try {
      const test::Counted by_the_library;
      client_->submit(std::move(submission));
      return true;
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failures_.push_back(current_error().code);
      --pending_;
      return false;
    }
  }

  // The rows of the call that was settled last.
  std::vector<float> settle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return pending_ == 0; });
    return rows_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int pending_ = 0;
  std::vector<float> rows_;
  std::vector<ErrorCode> failures_;
  std::promise<bool> loaded_;
  bool works_ = false;
  std::unique_ptr<Client> client_;
};

TEST(
    "out of memory: whichever allocation of a session's life fails, its call is told, and the next is "
    "served") {
  const test::Uncounted by_the_test;
  const test::RandomEncoder model(kTiny, true);
  const auto tokenizer = fake_tokenizer();
  std::vector<float> expected;
  size_t failing = 0, last = 1, unserved = 0;
  ptrdiff_t live = 0;
  // The first life, in which nothing fails, makes what is made once.
  for (; failing <= last; ++failing) {
    if (failing == 1) live = test::live_allocations();
    {
      Life life(model.weights, tokenizer, failing);
      last = std::max(last, life.allocations);
      const auto row = life.next_call();
      if (failing == 0) expected = row.value_or(std::vector<float>());
      if (!row) ++unserved;
      if (row) CHECK(*row == expected);
      test::begin_counting(0);
      life.close();
      const std::vector<ErrorCode> codes = life.failures();
      const bool hit = std::find(codes.begin(), codes.end(), ErrorCode::kOutOfMemory) != codes.end();
      for (const ErrorCode code : codes) {
        const bool by_design = code == ErrorCode::kTextTooLong || code == ErrorCode::kAborted;
        // A session whose loading failed is closed.
        if (!by_design && code != ErrorCode::kOutOfMemory && !(hit && code == ErrorCode::kClosed))
          test::fail(__FILE__, __LINE__,
                     "allocation " + std::to_string(failing) + ": " + std::string(error_code_name(code)));
      }
    }
    // The registry forgets a scheduler that is gone when the next one comes.
    if (failing > 0) CHECK(test::live_allocations() <= live);
  }
  CHECK_EQ(expected.size(), kTiny.hidden);
  CHECK(unserved > 0);        // where loading itself failed
  CHECK(unserved < failing);  // and where it did not
}

}  // namespace
}  // namespace gteway
