// Comparing rows of 8-bit integers and of bits. Integers, so the order of additions is free.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gteway::kernels {
namespace {

// The sum of compare(x, y) over vectors of bytes of both. Behind the last byte come zeros, which are no
// product and differ in no bit. Two sums hide the latency of an addition.
template <class Bytes, class Compare>
int32_t sum_over_bytes(const char* a, const char* b, size_t count, Compare compare) {
  constexpr size_t kStep = Bytes::kLanes;
  auto sum = compare(Bytes::of(0), Bytes::of(0)), other = sum;
  size_t i = 0;
  for (; i + 2 * kStep <= count; i += 2 * kStep) {
    sum = sum + compare(Bytes::load(a + i), Bytes::load(b + i));
    other = other + compare(Bytes::load(a + i + kStep), Bytes::load(b + i + kStep));
  }
  if (i + kStep <= count) {
    sum = sum + compare(Bytes::load(a + i), Bytes::load(b + i));
    i += kStep;
  }
  if (i < count) other = other + compare(Bytes::load(a + i, count - i), Bytes::load(b + i, count - i));
  return sum_lanes(sum + other);
}

template <class Bytes>
int32_t dot_i8(const int8_t* a, const int8_t* b, size_t dims) noexcept {
  return sum_over_bytes<Bytes>(reinterpret_cast<const char*>(a), reinterpret_cast<const char*>(b), dims,
                               [](Bytes x, Bytes y) { return sums_of_products(x, y); });
}

template <class Bytes>
uint32_t hamming_bits(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept {
  return static_cast<uint32_t>(sum_over_bytes<Bytes>(reinterpret_cast<const char*>(a),
                                                     reinterpret_cast<const char*>(b), bytes,
                                                     [](Bytes x, Bytes y) { return differing_bits(x, y); }));
}

}  // namespace
}  // namespace gteway::kernels
