// scripts/test-sanitizers.sh runs these under ThreadSanitizer.
#include "scheduler/scheduler.hpp"

#include <thread>

#include "scheduler/fake_engine.hpp"

namespace gteway {
namespace {

const ClientOptions kRoomy{.max_queue = 100'000, .max_queue_bytes = 1 << 24};

TEST("scheduler: rows come back in the order of the texts, with their token counts") {
  Fixture fixture;
  const Outcome outcome = fixture.submit(1, {"a", "a b c", "", "b b"}).get();
  CHECK(outcome.result.has_value());
  CHECK_EQ(outcome.result->tokens, (std::vector<uint32_t>{3, 5, 2, 4}));
  CHECK_EQ(outcome.result->truncated, (std::vector<uint8_t>{0, 0, 0, 0}));
  const float sums[] = {6, 15, 3, 11};
  for (size_t i = 0; i < 4; ++i) {
    CHECK_EQ(value_at(*outcome.result, 4 * i), static_cast<float>(outcome.result->tokens[i]));
    CHECK_EQ(value_at(*outcome.result, 4 * i + 2), sums[i]);
  }
}

TEST("scheduler: pooling none gives each token's row, text after text") {
  Fixture fixture;
  const Outcome outcome = fixture.submit(1, {"a b", "", "c"}, {.pooling = Pooling::kNone}).get();
  CHECK(outcome.result.has_value());
  CHECK_EQ(outcome.result->values(), 4u * (4 + 2 + 3));
  const float ids[] = {1, 3, 4, 2, 1, 2, 1, 5, 2};
  for (size_t row = 0; row < 9; ++row) CHECK_EQ(value_at(*outcome.result, 4 * row + 1), ids[row]);
}

TEST("scheduler: rows are cut to the dimensions asked for, and normalised after that") {
  Fixture fixture;
  const Outcome outcome = fixture.submit(1, {"b"}, {.normalize = true, .dimensions = 2}).get();
  CHECK_EQ(outcome.result->values(), 2u);
  CHECK_NEAR(value_at(*outcome.result, 0), 3 / std::sqrt(10.0), 1e-6);
  CHECK_NEAR(value_at(*outcome.result, 1), 1 / std::sqrt(10.0), 1e-6);
}

TEST("scheduler: no texts end at once, with no rows") {
  Fixture fixture;
  const Outcome outcome = fixture.submit(1, {}).get();
  CHECK(outcome.result.has_value());
  CHECK_EQ(outcome.result->values(), 0u);
}

TEST("scheduler: ten thousand texts through several workers each find their own row") {
  for (const bool padded : {false, true}) {
    Fixture fixture(3, kRoomy, {.padded = padded, .max_batch_tokens = 64});
    std::vector<std::string> texts(10'000);
    for (size_t i = 0; i < texts.size(); ++i)
      for (size_t n = 0; n < i % 23; ++n) texts[i] += "c ";
    const Outcome outcome = fixture.submit(1, texts).get();
    CHECK(outcome.result.has_value());
    for (size_t i = 0; i < texts.size(); ++i)
      CHECK_EQ(value_at(*outcome.result, 4 * i), static_cast<float>(2 + i % 23));
    const Stats stats = fixture.client->stats();
    CHECK(stats.engine.padded_tokens <= stats.engine.tokens + stats.engine.tokens / 20);
  }
}

// ---- merging

const char* const kWords[] = {"", "", "a b", "b a", "a c", "c a", "b b b", "c c c", "a a b", "b a a"};

TEST("scheduler: what arrives while the workers are busy runs in one batch") {
  Fixture fixture(1);
  fixture.device->shut();
  auto first = fixture.submit(1, {"a"});
  fixture.device->wait_until_busy();
  std::vector<std::future<Outcome>> calls;
  for (uint64_t i = 2; i < 10; ++i) calls.push_back(fixture.submit(i, {kWords[i], "c c"}));
  fixture.device->let_go();
  for (auto& call : calls) CHECK(call.get().result.has_value());
  // "c c" is the same for all of them, and is computed once.
  CHECK_EQ(fixture.device->batches.size(), 2u);
  CHECK_EQ(fixture.device->batches[1].size(), 9u);
  CHECK_EQ(fixture.client->stats().counters.coalesced, 7u);
}

TEST("scheduler: calls of different pooling do not share a batch, and all are served") {
  Fixture fixture(1);
  fixture.device->shut();
  auto first = fixture.submit(1, {"a"});
  fixture.device->wait_until_busy();
  std::vector<std::future<Outcome>> calls;
  const Pooling poolings[] = {Pooling::kMean, Pooling::kCls, Pooling::kNone};
  for (uint64_t i = 0; i < 12; ++i)
    calls.push_back(fixture.submit(2 + i, {std::string(i + 1, 'a')}, {.pooling = poolings[i % 3]}));
  fixture.device->let_go();
  for (auto& call : calls) CHECK(call.get().result.has_value());
  CHECK_EQ(fixture.device->batches.size(), 4u);
}

TEST("scheduler: a lone short call gets every thread, two get one each") {
  Fixture fixture(2);
  CHECK(fixture.submit(1, {"a"}).get().result.has_value());
  CHECK_EQ(fixture.device->threads, (std::vector<size_t>{2}));
  fixture.device->shut();
  auto one = fixture.submit(2, {"b"});
  fixture.device->wait_until_busy(1);
  auto two = fixture.submit(3, {"c"});
  fixture.device->wait_until_busy(2);
  fixture.device->let_go();
  CHECK(one.get().result.has_value() && two.get().result.has_value());
  CHECK_EQ(fixture.device->threads, (std::vector<size_t>{2, 2, 1}));
}

// ---- fairness

// Distinct token ids: words the tokenizer knows, so that nothing is coalesced.
std::vector<std::string> distinct(size_t count, size_t first = 0) {
  std::vector<std::string> texts;
  for (size_t i = first; i < first + count; ++i) {
    std::string text;
    for (size_t bits = i + (size_t{1} << 13); bits > 1; bits /= 2) text += bits % 2 == 0 ? "a " : "b ";
    texts.push_back(text);
  }
  return texts;
}

TEST("scheduler: a short call is served while every worker is inside a bulk batch") {
  Fixture fixture(2);
  fixture.device->shut();
  auto bulk = fixture.submit(1, distinct(500));
  fixture.device->wait_until_busy(2);
  auto brief = fixture.submit(2, {"c"});
  fixture.device->wait_until_busy(3);  // the express thread
  CHECK_EQ(fixture.device->batches.back(), (std::vector<size_t>{3}));
  fixture.device->let_go();
  CHECK(brief.get().result.has_value());
  CHECK(bulk.get().result.has_value());
}

TEST("scheduler: the express thread leaves bulk calls alone") {
  Fixture fixture(2);
  fixture.device->shut();
  auto bulk = fixture.submit(1, distinct(500));
  auto more = fixture.submit(2, distinct(600));
  fixture.device->wait_until_busy(2);
  {
    std::unique_lock lock(fixture.device->mutex);
    CHECK(!fixture.device->changed.wait_for(lock, std::chrono::milliseconds(20),
                                            [&] { return fixture.device->waiting > 2; }));
  }
  fixture.device->let_go();
  CHECK(bulk.get().result.has_value() && more.get().result.has_value());
}

TEST("scheduler: a client with many bulk calls does not keep one with a single one waiting") {
  Fixture fixture(1);
  auto other = fixture.connect();
  fixture.device->shut();
  auto first = fixture.submit(1, {"a"});
  fixture.device->wait_until_busy();
  std::vector<int> order;  // of completion; one worker, so no two at once
  const auto bulk = [&](Client& client, uint64_t number, int name) {
    auto ended = std::make_shared<std::promise<void>>();
    client.submit({.number = number,
                   .texts = text_block(distinct(1500, static_cast<size_t>(name) * 1500)),
                   .options = filled({}),
                   .done = [&order, name, ended](std::optional<Embedded>, std::optional<Error>) {
                     order.push_back(name);
                     ended->set_value();
                   }});
    return ended->get_future();
  };
  std::vector<std::future<void>> calls;
  for (int name = 0; name < 4; ++name)
    calls.push_back(bulk(*fixture.client, static_cast<uint64_t>(2 + name), name));
  calls.push_back(bulk(*other, 1, 4));
  fixture.device->let_go();
  for (auto& call : calls) call.get();
  CHECK_EQ(order.size(), 5u);
  CHECK(std::find(order.begin(), order.end(), 4) - order.begin() <= 1);
}

// ---- failures

TEST("scheduler: truncate = false turns a long text into an error that numbers it") {
  Fixture fixture;
  const Outcome outcome = fixture.submit(1, {"a", "a a a a"}, {.truncate = false, .max_tokens = 4}).get();
  check_code(outcome, ErrorCode::kTextTooLong);
  CHECK(std::string(outcome.error->what()).find("text 1") != std::string::npos);
}

TEST("scheduler: a text that fails in the engine fails its call and no other in the batch") {
  Fixture fixture(1);
  fixture.device->shut();
  auto first = fixture.submit(1, {"a"});
  fixture.device->wait_until_busy();
  auto bad = fixture.submit(2, {"a", "bad", "b"});
  auto nan = fixture.submit(3, {"c c", "nan"});
  auto good = fixture.submit(4, {"a b", "b a"});
  fixture.device->let_go();
  const Outcome failed = bad.get();
  check_code(failed, ErrorCode::kInferenceFailed);
  CHECK(std::string(failed.error->what()).find("text 1: poisoned") != std::string::npos);
  const Outcome not_finite = nan.get();
  check_code(not_finite, ErrorCode::kInferenceFailed);
  CHECK(std::string(not_finite.error->what()).find("not finite") != std::string::npos);
  CHECK_EQ(value_at(*good.get().result, 4), 4.0F);
}

TEST("scheduler: item_errors lists the texts that failed, and serves the rest") {
  for (const Pooling pooling : {Pooling::kMean, Pooling::kNone}) {
    Fixture fixture;
    const EmbedOptions options{.pooling = pooling, .truncate = false, .max_tokens = 5, .item_errors = true};
    const Outcome outcome = fixture.submit(1, {"a", "bad", "a a a a", "b b", "nan"}, options).get();
    CHECK(outcome.result.has_value());
    const std::vector<ItemError>& errors = outcome.result->errors;
    CHECK_EQ(outcome.result->tokens[0], 3u);
    CHECK_EQ(outcome.result->tokens[3], 4u);
    CHECK_EQ(errors.front().text, 1u);
    CHECK(errors.front().error.code == ErrorCode::kInferenceFailed);
    CHECK(errors[1].error.code == ErrorCode::kTextTooLong);
    for (const ItemError& error : errors) CHECK_EQ(outcome.result->tokens[error.text], 0u);
    if (pooling == Pooling::kMean) {
      CHECK_EQ(errors.size(), 3u);
      CHECK_EQ(value_at(*outcome.result, 4), 0.0F);
      CHECK_EQ(value_at(*outcome.result, 12), 4.0F);
    } else {
      CHECK_EQ(errors.size(), 2u);  // the fake's token rows are finite
      CHECK_EQ(outcome.result->values(), 4u * (3 + 4 + 3));
    }
    CHECK_EQ(fixture.client->stats().counters.failed_texts, errors.size());
  }
}

TEST("scheduler: isolating one bad text among many takes few runs") {
  Fixture fixture(1, kRoomy, {.padded = false, .max_batch_tokens = 4096});
  std::vector<std::string> texts = distinct(64);
  texts[41] += "bad";
  const Outcome outcome = fixture.submit(1, texts, {.item_errors = true}).get();
  CHECK_EQ(outcome.result->errors.size(), 1u);
  CHECK(fixture.device->batch_count() <= 1 + 2 * 6);
}

// ---- bounds

TEST("scheduler: a full queue refuses, what is in flight is not harmed, and room comes back") {
  Fixture fixture(1, {.max_queue = 3, .max_queue_bytes = 1000});
  fixture.device->shut();
  auto first = fixture.submit(1, {"a", "b"});
  fixture.device->wait_until_busy();
  CHECK_THROWS(Error, fixture.submit(2, {"a", "b"}), "maxQueue (3)");
  auto fits = fixture.submit(3, {"a"});
  CHECK_EQ(fixture.client->stats().texts_in_flight, 3u);
  fixture.device->let_go();
  CHECK(first.get().result.has_value());
  CHECK(fits.get().result.has_value());
  CHECK(fixture.submit(4, {"a", "b", "c"}).get().result.has_value());
  CHECK_EQ(fixture.client->stats().counters.rejected, 1u);
}

TEST("scheduler: bytes are bounded too") {
  Fixture fixture(1, {.max_queue = 100, .max_queue_bytes = 10});
  fixture.device->shut();
  auto first = fixture.submit(1, {"a b c"});
  fixture.device->wait_until_busy();
  CHECK_THROWS(Error, fixture.submit(2, {"a b c a"}), "maxQueueBytes (10)");
  fixture.device->let_go();
  CHECK(first.get().result.has_value());
}

TEST("scheduler: token rows count as bytes in flight, first by a bound and then by their number") {
  Fixture fixture(1, {.max_queue = 100, .max_queue_bytes = 100});
  fixture.device->shut();
  // Five bytes, five tokens of 16 bytes: less than 7 × 16, what two special tokens and a token a byte would
  // be.
  auto first = fixture.submit(1, {"a b c"}, {.pooling = Pooling::kNone});
  // The worker may have counted the tokens already.
  const size_t in_flight = fixture.client->stats().bytes_in_flight;
  CHECK(in_flight == 5u + 7 * 16 || in_flight == 5u + 5 * 16);
  auto waits = fixture.submit(2, {std::string(15, 'a')}, {.wait = true});
  fixture.device->wait_until_busy();
  CHECK_EQ(fixture.client->stats().bytes_in_flight, 100u);
  CHECK_EQ(fixture.client->stats().calls_waiting, 0u);
  CHECK_THROWS(Error, fixture.submit(3, {"a"}), "maxQueueBytes (100)");
  fixture.device->let_go();
  CHECK_EQ(first.get().result->values(), 5u * 4);
  CHECK(waits.get().result.has_value());
  CHECK_EQ(fixture.client->stats().bytes_in_flight, 0u);
}

TEST("scheduler: a number that is in flight is refused, and its call is none the worse for it") {
  Fixture fixture(1);
  fixture.device->shut();
  auto first = fixture.submit(1, {"a b"});
  fixture.device->wait_until_busy();
  CHECK_THROWS(Error, fixture.submit(1, {"a"}), "call 1 is in flight already");
  fixture.device->let_go();
  CHECK_EQ(value_at(*first.get().result, 0), 4.0F);
  CHECK(fixture.submit(1, {"a"}).get().result.has_value());
}

TEST("scheduler: an idle client's call is admitted whatever its size") {
  Fixture fixture(2, {.max_queue = 3, .max_queue_bytes = 3});
  CHECK(fixture.submit(1, std::vector<std::string>(50, "a")).get().result.has_value());
}

TEST("scheduler: a call that waits gets room in its turn, and can be cancelled before") {
  Fixture fixture(1, {.max_queue = 2, .max_queue_bytes = 1000});
  fixture.device->shut();
  auto first = fixture.submit(1, {"a", "b"});
  fixture.device->wait_until_busy();
  auto second = fixture.submit(2, {"b", "c"}, {.wait = true});
  auto third = fixture.submit(3, {"c", "a"}, {.wait = true});
  auto fourth = fixture.submit(4, {"c"}, {.wait = true});
  CHECK_EQ(fixture.client->stats().calls_waiting, 3u);
  fixture.client->cancel(2);
  check_code(second.get(), ErrorCode::kAborted);
  CHECK_EQ(fixture.client->stats().calls_waiting, 2u);
  fixture.device->let_go();
  CHECK(first.get().result.has_value());
  CHECK(third.get().result.has_value());
  CHECK(fourth.get().result.has_value());
  const Stats stats = fixture.client->stats();
  CHECK_EQ(stats.calls_waiting, 0u);
  CHECK_EQ(stats.texts_in_flight, 0u);
  CHECK_EQ(stats.bytes_in_flight, 0u);
}

// ---- cancelling

TEST("scheduler: cancelling a queued call ends it at once, and it costs nothing") {
  Fixture fixture(1);
  fixture.device->shut();
  auto running = fixture.submit(1, {"a"});
  fixture.device->wait_until_busy();
  auto queued = fixture.submit(2, {"b"});
  fixture.client->cancel(2);
  CHECK(settled(queued));
  check_code(queued.get(), ErrorCode::kAborted);
  fixture.device->let_go();
  CHECK(running.get().result.has_value());
  CHECK(fixture.submit(3, {"c"}).get().result.has_value());
  CHECK_EQ(fixture.device->batch_count(), 2u);
}

TEST("scheduler: cancelling a running call ends it at once and drops the rest of it") {
  Fixture fixture(1);
  fixture.device->shut();
  auto call = fixture.submit(1, distinct(500));
  fixture.device->wait_until_busy();
  fixture.client->cancel(1);
  CHECK(settled(call));
  check_code(call.get(), ErrorCode::kAborted);
  CHECK_EQ(fixture.client->stats().texts_in_flight, 0u);
  fixture.device->let_go();
  CHECK(fixture.submit(2, {"a"}).get().result.has_value());
  CHECK_EQ(fixture.device->batch_count(), 2u);
  while (fixture.client->stats().texts_running > 0) std::this_thread::yield();
}

TEST("scheduler: cancelling what has ended or never was is harmless") {
  Fixture fixture;
  CHECK(fixture.submit(1, {"a"}).get().result.has_value());
  fixture.client->cancel(1);
  fixture.client->cancel(77);
  CHECK_EQ(fixture.client->stats().counters.cancelled, 0u);
}

// ---- pairs

std::vector<float> all_values(const Outcome& outcome) {
  CHECK(outcome.result.has_value());
  std::vector<float> values(outcome.result->values());
  outcome.result->copy_to(values.data());
  return values;
}

TEST(
    "scheduler: pairs are scored with their queries, one for all of them or each its own, and not "
    "normalised") {
  Fixture fixture;
  // Ids: [CLS] 1, [SEP] 2, a 3, b 4, c 5.
  const Outcome one = submit_pairs(*fixture.client, 1, {"a"}, {}, {"b", "c c", ""}).get();
  CHECK_EQ(all_values(one), (std::vector<float>{12, 6, 18, 12, 8, 2}));
  CHECK_EQ(one.result->tokens, (std::vector<uint32_t>{5, 6, 4}));
  const Outcome each = submit_pairs(*fixture.client, 2, {"a", "b"}, {1, 0, 1}, {"a", "b", "c"}).get();
  CHECK_EQ(all_values(each), (std::vector<float>{12, 5, 12, 6, 14, 7}));
}

TEST("scheduler: of a long pair the text is cut, and a query that leaves it no room fails by itself") {
  Fixture fixture;
  const EmbedOptions options{.max_tokens = 6, .item_errors = true};
  const Outcome cut =
      submit_pairs(*fixture.client, 1, {"a a", "a a a"}, {0, 0, 1}, {"b", "b b b", "b"}, options).get();
  CHECK(cut.result.has_value());
  CHECK_EQ(cut.result->truncated, (std::vector<uint8_t>{0, 1, 0}));
  CHECK_EQ(cut.result->tokens, (std::vector<uint32_t>{6, 6, 0}));
  CHECK_EQ(cut.result->errors.size(), size_t{1});
  CHECK_EQ(cut.result->errors[0].text, 2u);
  CHECK(std::string(cut.result->errors[0].error.what()).find("Shorten the query") != std::string::npos);

  EmbedOptions strict = options;
  strict.truncate = false;
  const Outcome refused = submit_pairs(*fixture.client, 2, {"a a"}, {}, {"b", "b b"}, strict).get();
  CHECK_EQ(refused.result->errors.size(), size_t{1});
  CHECK_EQ(refused.result->errors[0].text, 1u);
  CHECK(std::string(refused.result->errors[0].error.what()).find("with its query") != std::string::npos);
}

TEST("scheduler: a pair and a text of the same ids are computed apart, equal pairs once") {
  Fixture fixture(1);
  fixture.device->shut();
  auto busy = fixture.submit(1, {"c c c"});
  fixture.device->wait_until_busy();
  auto pairs = submit_pairs(*fixture.client, 2, {"a"}, {}, {"b", "b"});
  // Without a query: other types.
  auto single = submit_pairs(*fixture.client, 3, {}, {}, {"a"});
  auto embedded = fixture.submit(4, {"a"});
  fixture.device->let_go();
  CHECK_EQ(all_values(pairs.get()), (std::vector<float>{12, 6, 12, 6}));
  CHECK_EQ(all_values(single.get()), (std::vector<float>{6, 0}));
  CHECK_EQ(all_values(embedded.get()), (std::vector<float>{3, 1, 6, 1}));
  CHECK(busy.get().result.has_value());
  CHECK_EQ(fixture.client->stats().counters.coalesced, 1u);
}

TEST("scheduler: scores are cached by the pair") {
  Fixture fixture;
  const auto client = fixture.connect({.max_queue = 100, .max_queue_bytes = 1 << 20, .cache_bytes = 1 << 16});
  for (const uint64_t call : {1, 2})
    CHECK_EQ(all_values(submit_pairs(*client, call, {"a", "b"}, {0, 1}, {"c", "c"}).get()),
             (std::vector<float>{13, 7, 14, 7}));
  CHECK_EQ(client->stats().cache.hits, 2u);
  CHECK_EQ(client->stats().cache.entries, 2u);
}

TEST("scheduler: what the engine has no rows for is refused") {
  const auto device = std::make_shared<FakeDevice>();
  const auto scheduler = std::make_shared<Scheduler>(1, [device](std::vector<Fallback>&, const auto&) {
    return std::make_unique<FakeEngine>(CostModel{.max_batch_tokens = 64}, device, 0);
  });
  const auto client = Client::connect(scheduler, kRoomy, fake_tokenizer(), [](const Loaded&) {});
  check_code(submit_pairs(*client, 1, {"a"}, {}, {"b"}).get(), ErrorCode::kModelUnsupported);
  CHECK(submit(*client, 2, {"a"}).get().result.has_value());
}

// ---- equal texts

TEST("scheduler: equal texts in flight are computed once, across clients, also while they run") {
  Fixture fixture(1);
  auto other = fixture.connect();
  fixture.device->shut();
  auto running = fixture.submit(1, {"a b", "a b"});
  fixture.device->wait_until_busy();
  auto joins = submit(*other, 1, {"a  b", "A B"});
  auto another = submit(*other, 2, {"c"});
  fixture.device->let_go();
  CHECK(another.get().result.has_value());
  CHECK_EQ(value_at(*running.get().result, 4), 4.0F);
  CHECK_EQ(value_at(*joins.get().result, 0), 4.0F);
  size_t sequences = 0;
  for (const auto& batch : fixture.device->batches) sequences += batch.size();
  CHECK_EQ(sequences, 3u);  // "A B" is of unknown words: this vocabulary is not lower-cased
}

TEST("scheduler: when the call that computes is cancelled, those that share its texts are served") {
  Fixture fixture(1);
  fixture.device->shut();
  auto running = fixture.submit(1, {"a"});
  fixture.device->wait_until_busy();
  auto owner = fixture.submit(2, {"b", "c", "b c"});
  auto sharer = fixture.submit(3, {"c", "b c"});
  auto unknown = fixture.submit(4, {"a a a"});
  fixture.device->let_go();
  CHECK(running.get().result.has_value());
  CHECK(owner.get().result.has_value() && sharer.get().result.has_value() &&
        unknown.get().result.has_value());

  fixture.device->shut();
  auto blocker = fixture.submit(10, {"a"});
  fixture.device->wait_until_busy();
  // One worker: it has to tokenize these two before it computes, so it is let through once more.
  auto first = fixture.submit(11, distinct(300));
  auto second = fixture.submit(12, distinct(300));
  fixture.device->let_go();
  CHECK(blocker.get().result.has_value());
  fixture.client->cancel(11);
  const Outcome served = second.get();
  CHECK(served.result.has_value());
  if (served.result)
    for (size_t i = 0; i < 300; ++i) CHECK(value_at(*served.result, 4 * i) > 2.0F);
  first.wait();
}

// ---- cache

TEST("scheduler: a cached text is not computed again, whatever is kept of its row") {
  Fixture fixture(1, {.max_queue = 100, .max_queue_bytes = 10'000, .cache_bytes = 1 << 20});
  CHECK(fixture.submit(1, {"a b", "c"}).get().result.has_value());
  const Outcome again = fixture.submit(2, {"c", "a b"}, {.normalize = true, .dimensions = 2}).get();
  CHECK_EQ(fixture.device->batch_count(), 1u);
  CHECK_EQ(again.result->tokens, (std::vector<uint32_t>{3, 4}));
  CHECK_NEAR(value_at(*again.result, 2), 4 / std::sqrt(17.0), 1e-6);
  CHECK(fixture.submit(3, {"a b"}, {.pooling = Pooling::kCls}).get().result.has_value());
  CHECK(fixture.submit(4, {"a b"}, {.pooling = Pooling::kNone}).get().result.has_value());
  CHECK_EQ(fixture.device->batch_count(), 3u);
  const Stats stats = fixture.client->stats();
  CHECK_EQ(stats.cache.hits, 2u);
  CHECK_EQ(stats.cache.misses, 3u);
  CHECK_EQ(stats.cache.entries, 3u);
}

TEST("scheduler: a cached cut text is too long where cutting is not allowed") {
  Fixture fixture(1, {.max_queue = 100, .max_queue_bytes = 10'000, .cache_bytes = 1 << 20});
  CHECK_EQ(fixture.submit(1, {"a a a a"}, {.max_tokens = 4}).get().result->truncated[0], 1);
  check_code(fixture.submit(2, {"a a a a"}, {.truncate = false, .max_tokens = 4}).get(),
             ErrorCode::kTextTooLong);
  CHECK_EQ(fixture.submit(3, {"a a a a"}, {.max_tokens = 4}).get().result->truncated[0], 1);
  CHECK_EQ(fixture.device->batch_count(), 1u);
}

// ---- statistics

TEST("scheduler: statistics count what happened") {
  Fixture fixture(2);
  CHECK(fixture.submit(1, {"a", "a b"}).get().result.has_value());
  check_code(fixture.submit(2, {"bad"}).get(), ErrorCode::kInferenceFailed);
  const Stats stats = fixture.client->stats();
  CHECK_EQ(stats.counters.calls, 1u);
  CHECK_EQ(stats.counters.texts, 2u);
  CHECK_EQ(stats.counters.tokens, 3u + 4u + 3u);
  CHECK_EQ(stats.counters.failed, 1u);
  CHECK_EQ(stats.engine.tokens, 10u);
  CHECK_EQ(stats.engine.padded_tokens, 10u);
  CHECK_EQ(stats.counters.total.count(), 1u);
  CHECK_EQ(stats.counters.infer.count(), 1u);
  CHECK(stats.counters.total.sum_ms() + 1e-9 >= stats.counters.infer.sum_ms());
  CHECK_EQ(stats.sessions, 1u);
  CHECK_EQ(stats.workers, 2u);
  CHECK_EQ(stats.oldest_ms, 0.0);
}

TEST("scheduler: padding is counted") {
  Fixture fixture(1, kRoomy, {.padded = true, .max_batch_tokens = 64});
  fixture.device->shut();
  auto first = fixture.submit(1, {"a"});
  fixture.device->wait_until_busy();
  auto mixed = fixture.submit(2, {"a b", "a b c"});
  CHECK(fixture.client->stats().oldest_ms > 0);
  fixture.device->let_go();
  CHECK(first.get().result.has_value() && mixed.get().result.has_value());
  CHECK_EQ(fixture.client->stats().engine.tokens, 3u + 4u + 5u);
  CHECK_EQ(fixture.client->stats().engine.padded_tokens, 3u + 2 * 5u);
}

// ---- the end

TEST("scheduler: close ends every call with kClosed at once, and refuses new ones") {
  Fixture fixture(2);
  fixture.device->shut();
  std::vector<std::future<Outcome>> calls;
  for (uint64_t i = 0; i < 10; ++i) calls.push_back(fixture.submit(i, {"a", "b"}));
  fixture.device->wait_until_busy();
  std::promise<void> closed;
  fixture.client->close([&closed] { closed.set_value(); });
  for (std::future<Outcome>& call : calls) {
    CHECK(settled(call));
    check_code(call.get(), ErrorCode::kClosed);
  }
  closed.get_future().get();
  CHECK_EQ(fixture.device->engines, 0);
  CHECK_THROWS(Error, fixture.submit(99, {"a"}), "closed");
}

TEST("scheduler: closing one client ends its calls and leaves the others alone") {
  Fixture fixture(1);
  auto other = fixture.connect();
  fixture.device->shut();
  auto mine = fixture.submit(1, {"a b", "c"});
  fixture.device->wait_until_busy();
  auto queued = fixture.submit(2, {"b"});
  auto theirs = submit(*other, 1, {"a b", "b", "c c"});
  std::promise<void> closed;
  fixture.client->close([&closed] { closed.set_value(); });
  check_code(mine.get(), ErrorCode::kClosed);
  check_code(queued.get(), ErrorCode::kClosed);
  closed.get_future().get();
  CHECK_EQ(other->stats().sessions, 1u);
  fixture.device->let_go();
  CHECK_EQ(value_at(*theirs.get().result, 8), 4.0F);
}

TEST("scheduler: a failed load is told to every client, and their calls end with its error") {
  std::promise<void> go;
  auto wait = go.get_future().share();
  auto scheduler =
      std::make_shared<Scheduler>(2, [wait](std::vector<Fallback>&, const auto&) -> std::unique_ptr<Engine> {
        wait.get();
        throw Error(ErrorCode::kModelInvalid, "no model");
      });
  std::promise<Loaded> first_loaded, second_loaded;
  auto first = Client::connect(scheduler, kRoomy, fake_tokenizer(),
                               [&](const Loaded& loaded) { first_loaded.set_value(loaded); });
  auto second = Client::connect(scheduler, kRoomy, fake_tokenizer(),
                                [&](const Loaded& loaded) { second_loaded.set_value(loaded); });
  auto call = submit(*first, 1, {"a"});
  go.set_value();
  for (std::promise<Loaded>* promise : {&first_loaded, &second_loaded}) {
    const Loaded loaded = promise->get_future().get();
    CHECK(loaded.error.has_value());
    CHECK(loaded.error->code == ErrorCode::kModelInvalid);
  }
  check_code(call.get(), ErrorCode::kModelInvalid);
  CHECK_THROWS(Error, submit(*second, 1, {"a"}), "closed");
  CHECK(Client::connect(scheduler, kRoomy, fake_tokenizer(), [](const Loaded&) {}) == nullptr);
  for (Client* client : {first.get(), second.get()}) {
    std::promise<void> closed;
    client->close([&closed] { closed.set_value(); });
    closed.get_future().get();
  }
}

TEST("scheduler: closing while the engine is being loaded stops the loading, and says so at once") {
  std::promise<void> loading, closed;
  auto scheduler = std::make_shared<Scheduler>(
      2, [&](std::vector<Fallback>&, const std::shared_ptr<const StopFlag>& stop) -> std::unique_ptr<Engine> {
        std::promise<void> stopped;
        const StopFlag::Callback tell(*stop, [&stopped] { stopped.set_value(); });
        loading.set_value();
        stopped.get_future().get();  // would wait for ever
        stop->throw_if_stopped();
        return nullptr;
      });
  std::promise<Loaded> told;
  auto client = Client::connect(scheduler, kRoomy, fake_tokenizer(),
                                [&told](const Loaded& loaded) { told.set_value(loaded); });
  auto call = submit(*client, 1, {"a"});
  loading.get_future().get();
  client->close([&closed] { closed.set_value(); });
  CHECK(told.get_future().get().error->code == ErrorCode::kClosed);
  check_code(call.get(), ErrorCode::kClosed);
  closed.get_future().get();
}

TEST("scheduler: who leaves while the engine is being loaded is told at once, and the others get it") {
  std::promise<void> go;
  auto device = std::make_shared<FakeDevice>();
  auto scheduler = std::make_shared<Scheduler>(
      1, [&](std::vector<Fallback>&, const std::shared_ptr<const StopFlag>& stop) -> std::unique_ptr<Engine> {
        go.get_future().get();
        CHECK(!stop->stopped());
        return std::make_unique<FakeEngine>(CostModel{.padded = false, .max_batch_tokens = 64}, device);
      });
  std::promise<Loaded> leaving_told, staying_told;
  std::promise<void> closed;
  auto leaving = Client::connect(scheduler, kRoomy, fake_tokenizer(),
                                 [&](const Loaded& loaded) { leaving_told.set_value(loaded); });
  auto staying = Client::connect(scheduler, kRoomy, fake_tokenizer(),
                                 [&](const Loaded& loaded) { staying_told.set_value(loaded); });
  leaving->close([&closed] { closed.set_value(); });
  CHECK(leaving_told.get_future().get().error->code == ErrorCode::kClosed);
  closed.get_future().get();
  go.set_value();
  CHECK(!staying_told.get_future().get().error.has_value());
  CHECK(submit(*staying, 1, {"a"}).get().result.has_value());
}

// Its end takes as long as somebody wants.
class SlowToEnd final : public FakeEngine {
 public:
  SlowToEnd(std::shared_ptr<FakeDevice> device, std::promise<void>& ending, std::shared_future<void> go)
      : FakeEngine({.padded = false, .max_batch_tokens = 64}, std::move(device)),
        ending_(ending),
        go_(std::move(go)) {}
  ~SlowToEnd() override {
    ending_.set_value();
    go_.wait();
  }

 private:
  std::promise<void>& ending_;
  const std::shared_future<void> go_;
};

TEST("scheduler: statistics are there while an engine takes its time to end, and closed comes behind it") {
  std::promise<void> ending, go, closed;
  auto device = std::make_shared<FakeDevice>();
  auto scheduler = std::make_shared<Scheduler>(
      1, [&, wait = go.get_future().share()](std::vector<Fallback>&, const auto&) -> std::unique_ptr<Engine> {
        return std::make_unique<SlowToEnd>(device, ending, wait);
      });
  auto client = Client::connect(scheduler, kRoomy, fake_tokenizer(), [](const Loaded&) {});
  CHECK(submit(*client, 1, {"a"}).get().result.has_value());
  client->close([&closed] { closed.set_value(); });
  ending.get_future().get();
  // In a thread of its own, so that a lock that is held is a failure and not a test without end.
  auto stats = std::async(std::launch::async, [&client] { return client->stats(); });
  auto is_closed = closed.get_future();
  CHECK(stats.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  CHECK(is_closed.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  go.set_value();
  is_closed.get();
  CHECK_EQ(stats.get().counters.calls, 1u);
  CHECK_EQ(device->engines, 0);
}

}  // namespace
}  // namespace gteway
