#include "kernels/kernel_case.hpp"

using namespace gteway::test;

template <class T>
static void fill_bytes(Input<T>& x, size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  for (size_t i = 0; i < count; ++i) x[i] = static_cast<T>(generator());
}

KERNEL_TEST("dot_i8 is the dot product, of every size") {
  for (const size_t dims : kSizes) {
    Input<int8_t> a(dims), b(dims);
    fill_bytes(a, dims, static_cast<uint32_t>(dims));
    fill_bytes(b, dims, static_cast<uint32_t>(dims) + 100);
    int64_t sum = 0;
    for (size_t i = 0; i < dims; ++i) sum += int64_t{a[i]} * b[i];
    CHECK_EQ(int64_t{kernels.dot_i8(a.data(), b.data(), dims)}, sum);
    CHECK_EQ(scalar.dot_i8(a.data(), b.data(), dims), kernels.dot_i8(a.data(), b.data(), dims));
  }
}

KERNEL_TEST("dot_i8 of the most dimensions and the largest products does not overflow") {
  const size_t dims = 131071;
  std::vector<int8_t> least(dims, -128), most(dims, 127);
  CHECK_EQ(kernels.dot_i8(least.data(), least.data(), dims), 131071 * 16384);
  CHECK_EQ(kernels.dot_i8(least.data(), most.data(), dims), 131071 * -16256);
}

KERNEL_TEST("hamming_bits counts the bits that differ, of every size") {
  for (const size_t bytes : kSizes) {
    Input<uint8_t> a(bytes), b(bytes);
    fill_bytes(a, bytes, static_cast<uint32_t>(bytes));
    fill_bytes(b, bytes, static_cast<uint32_t>(bytes) + 100);
    uint32_t count = 0;
    for (size_t i = 0; i < 8 * bytes; ++i)
      count += ((a[i / 8] >> (7 - i % 8)) & 1) != ((b[i / 8] >> (7 - i % 8)) & 1);
    CHECK_EQ(kernels.hamming_bits(a.data(), b.data(), bytes), count);
    CHECK_EQ(kernels.hamming_bits(a.data(), a.data(), bytes), 0u);
    CHECK_EQ(scalar.hamming_bits(a.data(), b.data(), bytes), count);
  }
}

KERNEL_TEST("hamming_bits of opposites is all of them") {
  std::vector<uint8_t> ones(4099, 0xff), zeros(4099, 0);
  CHECK_EQ(kernels.hamming_bits(ones.data(), zeros.data(), 4099), 8u * 4099u);
}
