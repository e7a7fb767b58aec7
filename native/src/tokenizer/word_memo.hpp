// The words this thread met lately, with their ids. Words repeat: most of a text is answered from here, by
// one comparison and without a branch that depends on how many pieces a word has.
//
// Each thread has its own, shared by all tokenizers, which tell their words apart by a number.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tokenizer/word_table.hpp"

namespace gteway {

class WordMemo {
 public:
  // A word of more pieces is not kept: such words are rarely met twice.
  static constexpr size_t kIds = 3;

  struct alignas(32) Slot {
    WordKey key;
    int32_t ids[kIds];
    uint32_t owner_and_count = 0;  // owner << 8 | how many of `ids` are the word's

    size_t count() const noexcept { return owner_and_count & 0xFF; }
  };
  static_assert(sizeof(Slot) == 32, "two to a cache line");

  // A number for a new owner; kNobody, for whom nothing is kept, once they are used up.
  static constexpr uint32_t kNobody = 0;
  static uint32_t new_owner() noexcept {
    static std::atomic<uint32_t> last{kNobody};
    uint32_t owner = last.load(std::memory_order_relaxed);
    do {
      if (owner == kLastOwner) return kNobody;
    } while (!last.compare_exchange_weak(owner, owner + 1, std::memory_order_relaxed));
    return owner + 1;
  }

  static WordMemo& of_this_thread() {
    thread_local const std::unique_ptr<WordMemo> memo = std::make_unique<WordMemo>();
    return *memo;
  }

  Slot& slot(const WordKey& key) noexcept {
    const uint64_t mixed = (key.low ^ (key.high << 29 | key.high >> 35)) * 0x9E3779B97F4A7C15;
    return slots_[mixed >> (64 - kSlotBits)];
  }

  static bool holds(const Slot& slot, const WordKey& key, uint32_t owner) noexcept {
    return slot.key == key && slot.owner_and_count >> 8 == owner;
  }

 private:
  // 128 KiB: a part of a core's second-level cache.
  static constexpr int kSlotBits = 12;
  static constexpr uint32_t kLastOwner = (1u << 24) - 1;

  Slot slots_[size_t{1} << kSlotBits];
};

}  // namespace gteway
