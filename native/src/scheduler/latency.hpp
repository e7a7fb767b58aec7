// A histogram of durations with buckets of constant relative width, after HdrHistogram: 32 to the octave, so
// a value is known to 3 %, from a microsecond to half an hour, in 7 KB.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace gteway {

using Clock = std::chrono::steady_clock;

class LatencyHistogram {
 public:
  static constexpr size_t kBucketsPerOctave = 32;
  static constexpr size_t kOctaves = 27;
  static constexpr size_t kBuckets = kOctaves * kBucketsPerOctave;

  // Below zero counts as zero.
  void record(Clock::duration duration) noexcept;

  uint64_t count() const noexcept { return count_; }
  double sum_ms() const noexcept { return sum_ms_; }
  double max_ms() const noexcept { return max_ms_; }
  const std::array<uint64_t, kBuckets>& counts() const noexcept { return counts_; }

  // The bucket that `microseconds` falls in; the last one takes what is above it too.
  static size_t bucket_of(uint64_t microseconds) noexcept;
  // Exclusive upper bound.
  static uint64_t bound_us(size_t bucket) noexcept;

 private:
  uint64_t count_ = 0;
  double sum_ms_ = 0;
  double max_ms_ = 0;
  std::array<uint64_t, kBuckets> counts_{};
};

}  // namespace gteway
