// A tensor of an ONNX file: what it is, and where its elements lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/tensor.hpp"

namespace gteway {

// TensorProto.DataType: the ones that are told apart here.
enum class OnnxType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kBfloat16 = 16,
};

// Bytes per element where the elements of `type` can be taken as they are; 0 for types no encoder's weights
// have.
size_t element_bytes(OnnxType type);

struct OnnxTensor {
  std::string_view name;
  OnnxType type = OnnxType::kUndefined;
  std::vector<int64_t> dims;  // none negative
  size_t elements = 0;
  // The elements, little endian, end to end: in memory or in a file. Both null where they cannot be had, for
  // the `reason`.
  const std::byte* data = nullptr;
  const File* file = nullptr;
  uint64_t offset = 0;
  std::string reason;

  bool has_elements() const noexcept { return data != nullptr || file != nullptr; }

  // Nothing where the elements are no floats of 16 or 32 bits.
  std::optional<Tensor> floats() const;

  // out[i] = element first + i of a tensor of integers or booleans. Throws Error{kModelInvalid} where it has
  // no such elements, and what File::read throws.
  void read_integers(size_t first, size_t count, int64_t* out) const;
};

}  // namespace gteway
