// What is in flight: calls, the sequences that are computed for them, and the accounts they are charged to.
//
// "Guarded" means: by the mutex of the scheduler that the account belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "scheduler/linked_list.hpp"
#include "scheduler/policy.hpp"
#include "scheduler/request.hpp"
#include "scheduler/stats.hpp"
#include "scheduler/vector_cache.hpp"
#include "tokenizer/tokenizer.hpp"

namespace gteway {

struct Account;
struct Call;
using CallPtr = std::shared_ptr<Call>;

// A text of a call.
struct Waiter {
  CallPtr call;
  uint32_t text = 0;
};

// Token ids to be computed once, for every text that has them.
struct Sequence {
  std::vector<int32_t> ids;
  std::vector<int32_t> types;  // beside them; empty: all 0
  Pooling pooling = Pooling::kMean;
  size_t hash = 0;  // of all three
  // Guarded. The first one's call holds the sequence while it is ready.
  std::vector<Waiter> waiters;
  bool running = false;
};
using SequencePtr = std::unique_ptr<Sequence>;

// One embed() call. While it is in flight or waits its account owns it; the lists it is in do not.
struct Call : std::enable_shared_from_this<Call> {
  Call(Submission submission, std::shared_ptr<Account> account);

  // Fulfils text `text` with rows as the engine made them, [rows, engine_dimensions]: cuts and normalises
  // them. A worker calls it without the mutex, for a text that it alone has in hand.
  void put(uint32_t text, std::span<const float> rows, size_t engine_dimensions);
  // A batch with a text of this call begins. Guarded.
  void begin_batch(Clock::time_point now);
  // Once every text is settled: puts the result together.
  Embedded take_result() noexcept;

  // Bytes of the rows of text `i` that are held until the call ends, beside what maxQueue bounds. Only with
  // Pooling::kNone, whose rows are many: before the text is tokenized, as if each byte were a token.
  size_t expected_row_bytes(size_t i) const noexcept;
  size_t row_bytes(size_t i) const noexcept;

  const std::shared_ptr<Account> account;
  const uint64_t number;
  const TextBlock texts;
  const Queries queries;
  const EmbedOptions options;
  const Urgency urgency;
  const Clock::time_point submitted;

  // ---- guarded
  Completion done;               // called when the call leaves account->calls
  bool ended = false;            // it left; what is still computed for it goes nowhere
  std::optional<Error> failure;  // why, unless it is fulfilled
  CallPtr next_ended;            // in the list of those that left together
  size_t bytes = 0;              // what it counts for in the account
  bool admitted = false;         // counted in the account
  bool in_turn_ready = false;    // whether WorkQueue has it in its turns
  bool in_turn_texts = false;
  Link<Call> link_ready, link_texts;  // link_texts: before it is admitted, in account->waiting
  size_t next_text = 0;               // the first that no worker has taken to tokenize
  size_t unsettled = 0;               // texts that have neither rows nor an error
  std::vector<SequencePtr> ready;     // by length, longest last; has room for one per text
  std::vector<ItemError> errors;
  Clock::duration tokenizing{};  // all workers' time together
  Clock::duration tokenizing_before_batch{};
  Clock::time_point first_batch{};

  // ---- each text's part is written by the one worker that has the text in hand, without the mutex
  Embedded result;
};

// The calls of one account, urgency and kind of work that wait for a worker, and its place among those of
// other accounts. See WorkQueue.
struct ReadyTurn {
  LinkedList<Call, &Call::link_ready> calls;
  Link<ReadyTurn> link;
};
struct TextsTurn {
  LinkedList<Call, &Call::link_texts> calls;
  Link<TextsTurn> link;
};

// What loading ended with; `error` or the rest.
struct Loaded {
  std::optional<Error> error;
  EngineInfo engine;
  CostModel cost;
  std::vector<Fallback> fallbacks;
};
// Must not throw.
using OnLoaded = std::function<void(const Loaded&)>;

struct ClientOptions {
  // Texts, and bytes of texts and of token rows, that may be in flight. A call that finds nothing in flight
  // is admitted whatever its size.
  size_t max_queue = 0;
  size_t max_queue_bytes = 0;
  size_t cache_bytes = 0;  // 0: no cache
};

// A client's books: what it has in flight, its bounds, its counters, its cache.
struct Account {
  Account(ClientOptions options, std::shared_ptr<const Tokenizer> tokenizer, OnLoaded loaded = {});

  bool has_room(size_t texts, size_t bytes) const;  // guarded

  const ClientOptions options;
  const std::shared_ptr<const Tokenizer> tokenizer;
  const std::unique_ptr<VectorCache> cache;  // may be null

  // ---- guarded
  OnLoaded loaded;  // until it was called
  bool closed = false;
  std::map<uint64_t, CallPtr> calls;  // in flight or waiting; numbers ascend, so the oldest is first
  LinkedList<Call, &Call::link_texts> waiting;  // for room
  ReadyTurn ready_turns[2];                     // by urgency
  TextsTurn texts_turns[2];
  size_t calls_waiting = 0;
  size_t texts_in_flight = 0;
  size_t bytes_in_flight = 0;
  size_t texts_running = 0;
  Counters counters;
};

}  // namespace gteway
