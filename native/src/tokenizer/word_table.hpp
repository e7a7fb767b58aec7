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
    char bytes[kMaxBytes] = {};
    std::memcpy(bytes, word.data(), word.size());
    return load(bytes);
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
    const uint64_t hash = mix(key);
    const size_t at = place(hash, displacements_[hash >> displacement_shift_]);
    const Slot& slot = slots_[at];
    // Most words are short, and then the second half is not worth a cache line of its own.
    const uint64_t& high = key.high == 0 ? kNoHigh : highs_[at];
    return slot.low() == key.low && high == key.high ? slot.id : -1;
  }

 private:
  // 12 bytes, so that a vocabulary of 30,000 words stays in the second-level cache.
  struct Slot {
    uint32_t low_half = 0, high_half = 0;
    int32_t id = -1;

    uint64_t low() const noexcept { return uint64_t{high_half} << 32 | low_half; }
  };

  static constexpr uint64_t kNoHigh = 0;

  // Odd constants with well-mixed bits: 2^64 divided by the golden ratio, and two of splitmix64's.
  static constexpr uint64_t kLow = 0x9E3779B97F4A7C15, kHigh = 0xBF58476D1CE4E5B9,
                            kSpread = 0x94D049BB133111EB;

  static uint64_t mix(const WordKey& key) noexcept {
    uint64_t hash = key.low * kLow ^ key.high * kHigh;
    hash ^= hash >> 32;
    return hash * kSpread;
  }

  // Keys of one bucket that agree in some bits differ in others, so that some displacement sets them apart.
  size_t place(uint64_t hash, uint64_t displacement) const noexcept {
    return (hash + displacement * (hash >> 20 | 1)) & slot_mask_;
  }

  std::vector<Slot> slots_;
  std::vector<uint64_t> highs_;  // the second half of each slot's key
  std::vector<uint16_t> displacements_;
  uint64_t slot_mask_;
  bool complete_ = true;
  int displacement_shift_;
};

}  // namespace gteway
