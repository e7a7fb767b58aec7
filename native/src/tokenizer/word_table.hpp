// Whole words of at most 16 bytes, found by one comparison: a perfect hash table.
//
// A shortcut, not the truth: it may leave any word out, and its callers then ask WordPiece. Whatever it holds
// it answers exactly, for the whole key is compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace gteway {

// Up to 16 bytes in two words, zeros behind them.
struct WordKey {
  static constexpr size_t kMaxBytes = 16;

  uint64_t low = 0, high = 0;
  bool operator==(const WordKey&) const = default;

  // `word`: ≤ kMaxBytes.
  static WordKey of(std::string_view word) noexcept {
    // Loads that overlap rather than a copy of a length that nobody can predict. Of bytes that are loaded
    // twice both are the same.
    const char* const bytes = word.data();
    const size_t size = word.size();
    WordKey key;
    if (size > 8) {
      std::memcpy(&key.low, bytes, 8);
      std::memcpy(&key.high, bytes + size - 8, 8);
      key.high >>= 8 * (16 - size);
    } else if (size >= 4) {
      uint32_t first, last;
      std::memcpy(&first, bytes, 4);
      std::memcpy(&last, bytes + size - 4, 4);
      key.low = first | uint64_t{last} << 8 * (size - 4);
    } else if (size > 0) {
      const auto byte = [&](size_t at) { return uint64_t{static_cast<unsigned char>(bytes[at])}; };
      key.low = byte(0) | byte(size / 2) << 8 * (size / 2) | byte(size - 1) << 8 * (size - 1);
    }
    return key;
  }
  static WordKey load(const char* sixteen_bytes) noexcept {
    WordKey key;
    std::memcpy(&key.low, sixteen_bytes, 8);
    std::memcpy(&key.high, sixteen_bytes + 8, 8);
    return key;
  }
};

class WordTable {
 public:
  struct Entry {
    std::string_view word;  // 1 to WordKey::kMaxBytes bytes, without a zero byte
    int32_t id;             // ≥ 0
  };

  // Of entries with the same word the first counts.
  explicit WordTable(std::span<const Entry> entries);

  // Whether every entry found a place.
  bool complete() const noexcept { return complete_; }

  // The id of the word with this key, or -1. The key of no bytes is never found.
  int32_t find(const WordKey& key) const noexcept {
    const uint64_t hash = (key.low ^ key.high * kHigh) * multiplier_;
    const size_t at = (hash >> slot_shift_) ^ displacements_[hash >> bucket_shift_ & bucket_mask_];
    // Most words are short, and then the second half is not worth a cache line of its own.
    const uint64_t* high = highs_.data() + at;
    high = key.high == 0 ? &kNoHigh : high;
    const Slot& slot = slots_[at];
    const uint64_t differs =
        (slot.low() ^ key.low) | (*high ^ key.high) | ((slot.value >> 31) ^ uint64_t{key.high != 0});
    return differs ? -1 : static_cast<int32_t>(slot.value & INT32_MAX);
  }

 private:
  // 12 bytes, so that a vocabulary of 30,000 words stays in the second-level cache.
  struct Slot {
    char key_low[8] = {};
    uint32_t value =
        UINT32_MAX;  // the id; the uppermost bit is set where the key has a second half, or there is none

    uint64_t low() const noexcept {
      uint64_t bytes;
      std::memcpy(&bytes, key_low, sizeof bytes);
      return bytes;
    }
  };
  static_assert(sizeof(Slot) == 12);

  static constexpr uint64_t kNoHigh = 0;
  static constexpr uint64_t kHigh = 0xBF58476D1CE4E5B9;  // odd, its bits well mixed: one of splitmix64's

  struct Hashed;
  void place(std::span<const Hashed> keys, size_t slots, size_t buckets);

  std::vector<Slot> slots_;
  std::vector<uint64_t> highs_;  // the second half of each slot's key
  std::vector<uint32_t> displacements_;
  uint64_t multiplier_ = 0, bucket_mask_ = 0;
  int slot_shift_ = 0, bucket_shift_ = 0;
  bool complete_ = true;
};

}  // namespace gteway
