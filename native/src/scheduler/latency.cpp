#include "scheduler/latency.hpp"

#include <algorithm>
#include <bit>

namespace gteway {

// Octave 0 holds [0, 32), octave k ≥ 1 [2^(k+4), 2^(k+5)) in steps of 2^(k-1).
size_t LatencyHistogram::bucket_of(uint64_t microseconds) noexcept {
  if (microseconds < kBucketsPerOctave) return static_cast<size_t>(microseconds);
  const auto octave = static_cast<size_t>(std::bit_width(microseconds)) - 5;
  const auto step = static_cast<size_t>(microseconds >> (octave - 1)) - kBucketsPerOctave;
  return std::min(octave * kBucketsPerOctave + step, kBuckets - 1);
}

uint64_t LatencyHistogram::bound_us(size_t bucket) noexcept {
  const size_t octave = bucket / kBucketsPerOctave, step = bucket % kBucketsPerOctave;
  if (octave == 0) return step + 1;
  return static_cast<uint64_t>(kBucketsPerOctave + step + 1) << (octave - 1);
}

void LatencyHistogram::record(Clock::duration duration) noexcept {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  const uint64_t microseconds = us > 0 ? static_cast<uint64_t>(us) : 0;
  const double milliseconds = static_cast<double>(microseconds) / 1e3;
  ++count_;
  ++counts_[bucket_of(microseconds)];
  sum_ms_ += milliseconds;
  max_ms_ = std::max(max_ms_, milliseconds);
}

}  // namespace gteway
