#include "tokenizer/word_table.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace gteway {

struct WordTable::Hashed {
  uint64_t hash;
  WordKey key;
  int32_t id;
};

WordTable::WordTable(std::span<const Entry> entries) {
  // Load at most 7/8: fuller, and the last buckets search long for their displacement.
  const size_t slots = std::bit_ceil(std::max<size_t>(entries.size() * 8 / 7, 16));
  const size_t buckets = slots / 4;
  slot_shift_ = 64 - std::countr_zero(slots);
  // The uppermost bits are the best mixed: a product's bits depend on those below them.
  bucket_shift_ = slot_shift_ - std::countr_zero(buckets);
  bucket_mask_ = buckets - 1;

  std::vector<Hashed> keys;
  for (const Entry& entry : entries) keys.push_back({0, WordKey::of(entry.word), entry.id});

  // Two keys of one bucket that agree in their slot bits as well cannot be set apart; with most multipliers
  // there are none. Keys chosen to collide might defeat them all: they are then left out, which costs speed
  // only.
  constexpr uint64_t kFirstMultiplier = 0x9E3779B97F4A7C15;  // 2^64 divided by the golden ratio
  constexpr int kMultipliers = 16;
  for (int attempt = 0; attempt < kMultipliers; ++attempt) {
    multiplier_ = kFirstMultiplier * static_cast<uint64_t>(2 * attempt + 1);
    for (Hashed& each : keys) each.hash = (each.key.low ^ each.key.high * kHigh) * multiplier_;
    place(keys, slots, buckets);
    if (complete_) break;
  }
}

void WordTable::place(std::span<const Hashed> keys, size_t slots, size_t buckets) {
  slots_.assign(slots, Slot{});
  highs_.assign(slots, 0);
  displacements_.assign(buckets, 0);
  complete_ = true;

  std::vector<std::vector<Hashed>> in_bucket(buckets);
  for (const Hashed& each : keys) {
    std::vector<Hashed>& bucket = in_bucket[each.hash >> bucket_shift_ & bucket_mask_];
    const auto same_slot = std::find_if(bucket.begin(), bucket.end(), [&](const Hashed& other) {
      return each.hash >> slot_shift_ == other.hash >> slot_shift_;
    });
    if (same_slot == bucket.end()) {
      bucket.push_back(each);
    } else {
      complete_ &= same_slot->key == each.key;
    }
  }

  // The fullest buckets first, while there is room.
  std::vector<uint32_t> order(buckets);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return in_bucket[a].size() > in_bucket[b].size(); });
  std::vector<bool> taken(slots);
  for (const uint32_t bucket : order) {
    if (in_bucket[bucket].empty()) break;
    uint32_t displacement = 0;
    const auto fits = [&] {
      return std::none_of(in_bucket[bucket].begin(), in_bucket[bucket].end(), [&](const Hashed& each) {
        return taken[(each.hash >> slot_shift_) ^ displacement];
      });
    };
    while (displacement < slots && !fits()) ++displacement;
    if (displacement == slots) {
      complete_ = false;
      continue;
    }
    displacements_[bucket] = displacement;
    for (const Hashed& each : in_bucket[bucket]) {
      const size_t at = (each.hash >> slot_shift_) ^ displacement;
      taken[at] = true;
      std::memcpy(slots_[at].key_low, &each.key.low, sizeof each.key.low);
      slots_[at].value = static_cast<uint32_t>(each.id) | (each.key.high != 0 ? uint32_t{1} << 31 : 0);
      highs_[at] = each.key.high;
    }
  }
}

}  // namespace gteway
