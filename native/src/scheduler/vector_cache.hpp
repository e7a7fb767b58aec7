// Vectors of texts that were embedded before, least recently used out first, bounded in bytes.
//
// What is kept is the pooled row as the engine made it, before it is cut or normalised, so that calls which
// differ in that share it. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/batch.hpp"
#include "scheduler/stats.hpp"

namespace gteway {

// Everything the vector of a text depends on, the session given.
struct CacheKey {
  std::string_view text;
  Pooling pooling = Pooling::kMean;
  size_t max_tokens = 0;
  std::optional<std::string_view> query{};  // of a pair
};

struct CachedVector {
  std::vector<float> row;
  uint32_t tokens = 0;
  bool truncated = false;
};

class VectorCache {
 public:
  // Names are compared byte by byte whatever the hash says.
  using Hash = size_t (*)(std::string_view);
  explicit VectorCache(size_t max_bytes, Hash hash = hash_of);

  // Null where there is none. Counts a hit or a miss, and makes the entry the most recently used.
  std::shared_ptr<const CachedVector> find(const CacheKey& key);
  // Keeps an entry that is there already. One larger than the whole cache is not kept. Throws
  // std::bad_alloc, and has changed nothing then.
  void insert(const CacheKey& key, CachedVector vector);

  CacheCounters counters() const;

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<const CachedVector> vector;
    size_t bytes = 0;
  };

  static size_t hash_of(std::string_view name) { return std::hash<std::string_view>{}(name); }

  const size_t max_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator, Hash> by_name_;  // views into entries_
  CacheCounters counters_;
};

}  // namespace gteway
