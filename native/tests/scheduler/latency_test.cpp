#include "scheduler/latency.hpp"

#include "test.hpp"

namespace gteway {
namespace {

using std::chrono::microseconds;

TEST("latency: buckets follow on one another, and each is at most 1/32 wide above 32 us") {
  for (size_t bucket = 1; bucket < LatencyHistogram::kBuckets; ++bucket) {
    const uint64_t low = LatencyHistogram::bound_us(bucket - 1), high = LatencyHistogram::bound_us(bucket);
    CHECK(high > low);
    CHECK_EQ(LatencyHistogram::bucket_of(low), bucket);
    CHECK_EQ(LatencyHistogram::bucket_of(high - 1), bucket);
    if (low >= 32) CHECK((high - low) * 32 <= low);
  }
}

TEST("latency: the first bucket takes zero and what is below, the last all that is above") {
  LatencyHistogram latency;
  latency.record(microseconds(-5));
  latency.record(microseconds(0));
  latency.record(std::chrono::hours(24));
  CHECK_EQ(latency.counts().front(), 2u);
  CHECK_EQ(latency.counts().back(), 1u);
  CHECK_EQ(latency.count(), 3u);
}

TEST("latency: sum and maximum are in milliseconds") {
  LatencyHistogram latency;
  latency.record(microseconds(1500));
  latency.record(microseconds(500));
  CHECK_NEAR(latency.sum_ms(), 2.0, 1e-9);
  CHECK_NEAR(latency.max_ms(), 1.5, 1e-9);
}

}  // namespace
}  // namespace gteway
