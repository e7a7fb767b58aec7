#include "model/onnx_tensor.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/in_quotes.hpp"

namespace gteway {

size_t element_bytes(OnnxType type) {
  switch (type) {
    case OnnxType::kFloat:
    case OnnxType::kInt32:
      return 4;
    case OnnxType::kInt64:
    case OnnxType::kDouble:
      return 8;
    case OnnxType::kFloat16:
    case OnnxType::kBfloat16:
      return 2;
    case OnnxType::kBool:
      return 1;
    case OnnxType::kUndefined:
      return 0;
  }
  return 0;
}

std::optional<Tensor> OnnxTensor::floats() const {
  Tensor tensor{.data = data, .elements = elements, .file = file, .offset = offset};
  switch (type) {
    case OnnxType::kFloat:
      tensor.type = ElementType::kF32;
      return tensor;
    case OnnxType::kFloat16:
      tensor.type = ElementType::kF16;
      return tensor;
    case OnnxType::kBfloat16:
      tensor.type = ElementType::kBf16;
      return tensor;
    default:
      return std::nullopt;
  }
}

void OnnxTensor::read_integers(size_t first, size_t count, int64_t* out) const {
  const bool is_integral = type == OnnxType::kInt64 || type == OnnxType::kInt32 || type == OnnxType::kBool;
  if (!is_integral || !has_elements() || first > elements || count > elements - first)
    throw Error(ErrorCode::kModelInvalid, "the tensor " + in_quotes(name) + " has no integers " +
                                              std::to_string(first) + " to " + std::to_string(first + count));
  const size_t size = element_bytes(type);
  std::vector<std::byte> bytes(count * size);
  if (data != nullptr)
    std::copy_n(data + first * size, bytes.size(), bytes.data());
  else
    file->read(offset + first * size, bytes);
  for (size_t i = 0; i < count; ++i) {
    const std::byte* const at = bytes.data() + i * size;
    if (type == OnnxType::kInt64) {
      std::memcpy(&out[i], at, 8);
    } else if (type == OnnxType::kInt32) {
      int32_t value = 0;
      std::memcpy(&value, at, 4);
      out[i] = value;
    } else {
      out[i] = std::to_integer<int>(*at) != 0;
    }
  }
}

}  // namespace gteway
