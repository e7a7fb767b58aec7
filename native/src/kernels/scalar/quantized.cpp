// Comparing rows of 8-bit integers and of bits.
#include "kernels/contract.hpp"

namespace gteway::kernels::scalar {

int32_t dot_i8(const int8_t* a, const int8_t* b, size_t dims) noexcept {
  int32_t sum = 0;
  for (size_t i = 0; i < dims; ++i) sum += int32_t{a[i]} * int32_t{b[i]};
  return sum;
}

uint32_t hamming_bits(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept {
  uint32_t count = 0;
  for (size_t i = 0; i < bytes; ++i)
    for (unsigned differing = a[i] ^ b[i]; differing != 0; differing &= differing - 1) ++count;
  return count;
}

}  // namespace gteway::kernels::scalar
