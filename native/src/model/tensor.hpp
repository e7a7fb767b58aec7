// The numbers of a model, wherever they lie.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/file.hpp"

namespace gteway {

enum class ElementType { kF32, kF16, kBf16 };

constexpr size_t element_bytes(ElementType type) { return type == ElementType::kF32 ? 4 : 2; }

// Elements end to end, in memory or in a file. Owns neither.
struct Tensor {
  const std::byte* data = nullptr;  // in memory; need not be aligned to the element
  ElementType type = ElementType::kF32;
  size_t elements = 0;
  const File* file = nullptr;  // where `data` is null
  uint64_t offset = 0;         // of the first element in the file, in bytes

  // out[i] = element first + i, widened to float32 (exactly). Throws Error{kModelInvalid} where the tensor
  // has no such elements, and what File::read throws.
  void read(size_t first, size_t count, float* out) const;

  // Elements [first, first + count), which it has.
  Tensor part(size_t first, size_t count) const;
};

}  // namespace gteway
