// What the kernel tests share: one body for every instruction set, sizes around the lanes, and guarded
// buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "test.hpp"

namespace gteway::test {

// Registers "kernels: `name` [isa]" for each set compiled in. `body` gets its table and the scalar one. A set
// that this machine lacks is reported as skipped. Runs before main(), like TEST.
inline bool add_for_each_isa(const std::string& name,
                             std::function<void(const kernels::Table&, const kernels::Table& scalar)> body) {
  for (const kernels::Implementation& implementation : kernels::implementations()) {
    if (implementation.table == nullptr) continue;  // has kernels of the encoder only
    add("kernels: " + name + " [" + std::string(implementation.isa) + "]", [implementation, body] {
      if (!implementation.supported) SKIP("this machine has no " + std::string(implementation.isa));
      body(kernels::table_for(implementation.isa), kernels::table_for("scalar"));
    });
  }
  return true;
}

#define KERNEL_TEST(name)                                                                                   \
  static void GTEWAY_JOIN(kernel_test_, __LINE__)(const ::gteway::kernels::Table&,                          \
                                                  const ::gteway::kernels::Table&);                         \
  [[maybe_unused]] static const bool GTEWAY_JOIN(kernel_added_, __LINE__) =                                 \
      ::gteway::test::add_for_each_isa(name, GTEWAY_JOIN(kernel_test_, __LINE__));                          \
  static void GTEWAY_JOIN(kernel_test_, __LINE__)([[maybe_unused]] const ::gteway::kernels::Table& kernels, \
                                                  [[maybe_unused]] const ::gteway::kernels::Table& scalar)

// Nothing, one, each side of 4, 8, 16, 32, 64 and 128 lanes, gte-small's 384, and larger with odd rests.
inline const std::vector<size_t> kSizes = {0,  1,  2,  3,  4,  5,  7,   8,   9,   15,  16,  17,  24,   31,
                                           32, 33, 47, 63, 64, 65, 127, 128, 129, 383, 384, 385, 1000, 1024};

// `count` elements between guard bytes, `offset` elements off the alignment the allocator gives. The elements
// are exactly as many as asked for, so that AddressSanitizer sees a read behind them as well.
template <class T>
class Guarded {
 public:
  explicit Guarded(size_t count, size_t offset = 1)
      : count_(count),
        offset_(offset),
        storage_(kGuard + offset * sizeof(T) + count * sizeof(T) + kGuard, kByte) {}

  T* data() { return reinterpret_cast<T*>(storage_.data() + kGuard + offset_ * sizeof(T)); }
  T& operator[](size_t i) { return data()[i]; }
  size_t size() const { return count_; }

  // Whether every byte around the elements is as it was.
  bool intact() {
    const auto* begin = reinterpret_cast<const uint8_t*>(data());
    const auto* end = reinterpret_cast<const uint8_t*>(data() + count_);
    for (const uint8_t* p = storage_.data(); p < begin; ++p)
      if (*p != kByte) return false;
    for (const uint8_t* p = end; p < storage_.data() + storage_.size(); ++p)
      if (*p != kByte) return false;
    return true;
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr uint8_t kByte = 0xa5;
  size_t count_, offset_;
  std::vector<uint8_t> storage_;
};

// Input of exactly `count` elements at the end of its allocation, so that AddressSanitizer sees any read
// behind it.
template <class T>
struct Input {
  explicit Input(size_t count) : storage(count + 1) {}
  T* data() { return storage.data() + 1; }
  T& operator[](size_t i) { return storage[i + 1]; }
  std::vector<T> storage;
};

inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float float_of(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Equal to the last bit, or both NaN.
template <class T>
bool same(T a, T b) {
  if (a != a && b != b) return true;
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

// Normally distributed values; the seed is fixed, so that a failure can be repeated.
inline void fill_normal(float* x, size_t count, uint32_t seed, float scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  for (size_t i = 0; i < count; ++i) x[i] = scale * normal(generator);
}

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kMax = std::numeric_limits<float>::max();
inline constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

// Values that break naive code.
inline const std::vector<float> kSpecial = {
    0.0f,       -0.0f,  1.0f,       -1.0f,  kInf,   -kInf,   kNan,    kMax,    -kMax,  kDenormal,
    -kDenormal, 1e-30f, 3e38f,      -3e38f, 0.5f,   1.5f,    2.5f,    -0.5f,   126.5f, 127.5f,
    -127.5f,    65504,  65519.996f, 65520,  -65520, 6.1e-5f, 5.9e-8f, 2.98e-8f};

}  // namespace gteway::test
