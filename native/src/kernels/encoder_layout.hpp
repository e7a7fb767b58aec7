// Where things lie in packed weights and matrices. As the contracts, included by files compiled for an
// instruction set; in an anonymous namespace, so that each has copies of its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"

namespace gteway::kernels {
namespace {

[[maybe_unused]] constexpr size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// How many groups of inputs have a scale of their own.
[[maybe_unused]] constexpr size_t groups_of(size_t in, size_t group) { return (in + group - 1) / group; }

// Row `row` of a matrix whose rows are `stride` bytes apart.
template <class T>
[[maybe_unused]] const T* row_of(const void* data, size_t stride, size_t row) {
  return reinterpret_cast<const T*>(static_cast<const char*>(data) + row * stride);
}
template <class T>
[[maybe_unused]] T* row_of(void* data, size_t stride, size_t row) {
  return reinterpret_cast<T*>(static_cast<char*>(data) + row * stride);
}

}  // namespace
}  // namespace gteway::kernels
