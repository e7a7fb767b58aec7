#include "tokenizer/word_table.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace gteway {

WordTable::WordTable(std::span<const Entry> entries) {
  // Load at most 7/8: fuller, and the last buckets search long for their displacement.
  const size_t slots = std::bit_ceil(std::max<size_t>(entries.size() * 8 / 7, 16));
  const size_t buckets = std::max<size_t>(slots / 4, 2);
  slots_.resize(slots);
  highs_.resize(slots);
  displacements_.resize(buckets, 0);
  slot_mask_ = slots - 1;
  displacement_shift_ = 64 - std::countr_zero(buckets);

  struct Placed {
    WordKey key;
    uint64_t hash;
    int32_t id;
  };
  std::vector<std::vector<Placed>> in_bucket(buckets);
  for (const Entry& entry : entries) {
    const WordKey key = WordKey::of(entry.word);
    const uint64_t hash = mix(key);
    std::vector<Placed>& bucket = in_bucket[hash >> displacement_shift_];
    const bool seen =
        std::any_of(bucket.begin(), bucket.end(), [&](const Placed& placed) { return placed.key == key; });
    // A bucket this full means keys made to collide; leaving them out costs speed only.
    if (seen) continue;
    if (bucket.size() < 32) {
      bucket.push_back({key, hash, entry.id});
    } else {
      complete_ = false;
    }
  }

  // The fullest buckets first, while there is room.
  std::vector<uint32_t> order(buckets);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return in_bucket[a].size() > in_bucket[b].size(); });
  std::vector<bool> taken(slots);
  std::vector<size_t> places;
  for (const uint32_t bucket : order) {
    if (in_bucket[bucket].empty()) break;
    bool placed_all = false;
    for (uint32_t displacement = 0; !placed_all && displacement <= UINT16_MAX; ++displacement) {
      places.clear();
      for (const Placed& placed : in_bucket[bucket]) {
        const size_t at = place(placed.hash, displacement);
        if (taken[at] || std::find(places.begin(), places.end(), at) != places.end()) break;
        places.push_back(at);
      }
      if (places.size() < in_bucket[bucket].size()) continue;
      displacements_[bucket] = static_cast<uint16_t>(displacement);
      for (size_t i = 0; i < places.size(); ++i) {
        taken[places[i]] = true;
        const Placed& placed = in_bucket[bucket][i];
        slots_[places[i]] = {static_cast<uint32_t>(placed.key.low),
                             static_cast<uint32_t>(placed.key.low >> 32), placed.id};
        highs_[places[i]] = placed.key.high;
      }
      placed_all = true;
    }
    complete_ &= placed_all;
  }
}

}  // namespace gteway
