// What a session can say about itself. Counted under the scheduler's mutex at moments when it is held anyway.
#pragma once

#include <cstddef>
#include <cstdint>

#include "scheduler/latency.hpp"

namespace gteway {

// Of one client; counts begin with it.
struct Counters {
  uint64_t calls = 0;      // fulfilled
  uint64_t texts = 0;      // of those
  uint64_t tokens = 0;     // that an engine computed for this client
  uint64_t rejected = 0;   // calls the full queue refused
  uint64_t cancelled = 0;  // calls that cancel() ended
  uint64_t failed = 0;     // calls that ended with any other error
  uint64_t failed_texts = 0;
  uint64_t coalesced = 0;  // texts that shared the computation of an equal one
  LatencyHistogram queue;  // of fulfilled calls: from submission to the first batch, less tokenizing
  LatencyHistogram tokenize;
  LatencyHistogram infer;  // from the first batch to the last row
  LatencyHistogram total;
};

// Of the scheduler, whoever its clients are.
struct EngineCounters {
  uint64_t batches = 0;
  uint64_t tokens = 0;
  uint64_t padded_tokens = 0;  // by the engine's cost model; equal to `tokens` where it does not pad
};

struct CacheCounters {
  uint64_t hits = 0;
  uint64_t misses = 0;
  size_t entries = 0;
  size_t bytes = 0;
};

struct Stats {
  Counters counters;
  EngineCounters engine;
  CacheCounters cache;
  size_t calls_in_flight = 0;
  size_t texts_in_flight = 0;
  size_t texts_running = 0;
  size_t bytes_in_flight = 0;
  size_t calls_waiting = 0;
  double oldest_ms = 0;
  size_t sessions = 0;
  size_t workers = 0;
  size_t workers_busy = 0;
};

}  // namespace gteway
