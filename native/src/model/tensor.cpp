#include "model/tensor.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace gteway {
namespace {

// Bytes of narrow elements that are read before they are widened.
constexpr size_t kPiece = size_t{1} << 20;

float from_half(uint16_t half) noexcept {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7FFF;
  // Shifted into place, a half's exponent is 112 too small; the product mends it, subnormals included.
  // Infinity and NaN need the largest exponent instead.
  if (magnitude >= 0x7C00) return std::bit_cast<float>(sign | 0x7F800000 | (magnitude << 13));
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(scaled));
}

float from_bfloat16(uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

template <class Convert>
void widen(const std::byte* from, size_t count, float* out, Convert convert) {
  for (size_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, from + 2 * i, sizeof bits);
    out[i] = convert(bits);
  }
}

void widen(ElementType type, const std::byte* from, size_t count, float* out) {
  switch (type) {
    case ElementType::kF32:
      std::memcpy(out, from, count * sizeof(float));
      return;
    case ElementType::kF16:
      return widen(from, count, out, from_half);
    case ElementType::kBf16:
      return widen(from, count, out, from_bfloat16);
  }
}

}  // namespace

void Tensor::read(size_t first, size_t count, float* out) const {
  if (first > elements || count > elements - first)
    throw Error(ErrorCode::kModelInvalid, "elements " + std::to_string(first) + " to " +
                                              std::to_string(first + count) +
                                              " were asked for of a tensor of " + std::to_string(elements));
  if (count == 0) return;
  const size_t size = element_bytes(type);
  if (data != nullptr) return widen(type, data + first * size, count, out);
  if (type == ElementType::kF32)
    return file->read(offset + first * size, std::as_writable_bytes(std::span(out, count)));
  std::vector<std::byte> piece(std::min(kPiece, count * size));
  for (size_t done = 0; done < count;) {
    const std::span<std::byte> now(piece.data(), std::min(piece.size(), (count - done) * size));
    file->read(offset + (first + done) * size, now);
    widen(type, now.data(), now.size() / size, out + done);
    done += now.size() / size;
  }
}

Tensor Tensor::part(size_t first, size_t count) const {
  Tensor part = *this;
  const size_t bytes = first * element_bytes(type);
  part.elements = count;
  if (data != nullptr) part.data += bytes;
  part.offset += bytes;
  return part;
}

}  // namespace gteway
