#include "scheduler/vector_cache.hpp"

#include <cstring>
#include <utility>

namespace gteway {
namespace {

// Beside name and row: the list's node, the map's node and bucket, the vector's header and the allocators'
// own, on a 64-bit machine.
constexpr size_t kEntryOverheadBytes = 256;

void write_name(const CacheKey& key, std::string& name) {
  const uint64_t query =
      key.query ? key.query->size() + 1 : 0;  // where the text begins, or that there is none
  const uint64_t head[] = {static_cast<uint64_t>(key.pooling), key.max_tokens, query};
  name.resize(sizeof head);
  std::memcpy(name.data(), head, sizeof head);
  if (key.query) name += *key.query;
  name += key.text;
}

}  // namespace

VectorCache::VectorCache(size_t max_bytes, Hash hash) : max_bytes_(max_bytes), by_name_(0, hash) {}

std::shared_ptr<const CachedVector> VectorCache::find(const CacheKey& key) {
  static thread_local std::string name;
  write_name(key, name);
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) {
    ++counters_.misses;
    return nullptr;
  }
  ++counters_.hits;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->vector;
}

void VectorCache::insert(const CacheKey& key, CachedVector vector) {
  Entry entry;
  write_name(key, entry.name);
  entry.bytes = entry.name.size() + vector.row.size() * sizeof(float) + kEntryOverheadBytes;
  if (entry.bytes > max_bytes_) return;
  entry.vector = std::make_shared<const CachedVector>(std::move(vector));
  std::list<Entry> added;
  added.push_front(std::move(entry));
  const size_t bytes = added.front().bytes;

  const std::lock_guard lock(mutex_);
  if (!by_name_.emplace(added.front().name, added.begin()).second) return;
  entries_.splice(entries_.begin(), added);
  for (counters_.bytes += bytes; counters_.bytes > max_bytes_; entries_.pop_back()) {
    by_name_.erase(entries_.back().name);
    counters_.bytes -= entries_.back().bytes;
  }
  counters_.entries = entries_.size();
}

CacheCounters VectorCache::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace gteway
