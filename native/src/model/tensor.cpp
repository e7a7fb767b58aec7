#include <bit>
#include <cstring>

#include "model/encoder_weights.hpp"

namespace gteway {
namespace {

float from_half(uint16_t half) noexcept {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7FFF;
  // Shifted into place, a half's exponent is 112 too small; the product mends it, subnormals included.
  // Infinity and NaN need the largest exponent instead.
  if (magnitude >= 0x7C00) return std::bit_cast<float>(sign | 0x7F800000 | (magnitude << 13));
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(scaled));
}

template <class Convert>
void read_halves(const std::byte* from, size_t count, float* out, Convert convert) {
  for (size_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, from + 2 * i, sizeof bits);
    out[i] = convert(bits);
  }
}

}  // namespace

void Tensor::read(size_t first, size_t count, float* out) const {
  switch (type) {
    case ElementType::kF32:
      if (count > 0) std::memcpy(out, data + first * sizeof(float), count * sizeof(float));
      return;
    case ElementType::kF16:
      return read_halves(data + 2 * first, count, out, from_half);
    case ElementType::kBf16:
      return read_halves(data + 2 * first, count, out, [](uint16_t bits) {
        return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
      });
  }
}

}  // namespace gteway
