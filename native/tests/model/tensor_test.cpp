#include "model/tensor.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.hpp"
#include "test.hpp"

namespace gteway {
namespace {

// The value of a half by its definition: https://en.wikipedia.org/wiki/Half-precision_floating-point_format
double half_value(uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST("tensor: every half and every bfloat16 is widened exactly, from any alignment") {
  std::vector<std::byte> raw(2 * 65536 + 1);
  for (size_t offset = 0; offset < 2; ++offset) {
    for (uint32_t i = 0; i < 65536; ++i) {
      const auto bits = static_cast<uint16_t>(i);
      std::memcpy(raw.data() + offset + 2 * i, &bits, 2);
    }
    std::vector<float> out(65536);
    Tensor tensor{.data = raw.data() + offset, .type = ElementType::kF16, .elements = 65536};
    tensor.read(0, 65536, out.data());
    for (uint32_t i = 0; i < 65536; ++i) {
      const bool special = (i & 0x7C00) == 0x7C00;
      if (special && (i & 0x3FF) != 0)
        CHECK(std::isnan(out[i]));
      else if (special)
        CHECK(std::isinf(out[i]) && (out[i] < 0) == ((i & 0x8000) != 0));
      else
        CHECK(static_cast<double>(out[i]) == half_value(static_cast<uint16_t>(i)) &&
              std::signbit(out[i]) == ((i & 0x8000) != 0));
    }
    tensor.type = ElementType::kBf16;
    tensor.read(0, 65536, out.data());
    for (uint32_t i = 0; i < 65536; ++i) {
      uint32_t bits = 0;
      std::memcpy(&bits, &out[i], 4);
      CHECK_EQ(bits, i << 16);
    }
  }
}

TEST("tensor: a part of the elements is read, and no more") {
  const float values[5] = {1, 2, 3, 4, 5};
  std::vector<std::byte> raw(sizeof values + 1);
  std::memcpy(raw.data() + 1, values, sizeof values);
  const Tensor tensor{.data = raw.data() + 1, .type = ElementType::kF32, .elements = 5};
  float out[4] = {-1, -1, -1, -1};
  tensor.read(1, 2, out + 1);
  CHECK_EQ(out[0], -1.0F);
  CHECK_EQ(out[1], 2.0F);
  CHECK_EQ(out[2], 3.0F);
  CHECK_EQ(out[3], -1.0F);
  tensor.read(5, 0, nullptr);
}

TEST("tensor: what is outside of its elements is refused, and nothing is written") {
  const float values[2] = {1, 2};
  for (const Tensor& tensor :
       {Tensor{.data = reinterpret_cast<const std::byte*>(values), .elements = 2}, Tensor{.elements = 0}}) {
    float out[3] = {-1, -1, -1};
    CHECK_THROWS(Error, tensor.read(0, 3, out), "were asked for of a tensor");
    CHECK_THROWS(Error, tensor.read(3, 0, out), "were asked for of a tensor");
    CHECK_THROWS(Error, tensor.read(1, SIZE_MAX, out), "were asked for of a tensor");
    CHECK_EQ(out[0], -1.0F);
  }
}

TEST("tensor: elements in a file are those in memory, in every type and more than one piece") {
  const size_t count = 1'200'000;
  std::vector<std::byte> raw(3 + 4 * count);
  for (size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::byte>(i * 2654435761U >> 9 & 0x3F);
  const auto file = File::of_bytes(raw, nullptr, "file");
  for (const ElementType type : {ElementType::kF32, ElementType::kF16, ElementType::kBf16}) {
    const Tensor memory{.data = raw.data() + 3, .type = type, .elements = count};
    const Tensor stored{.type = type, .elements = count, .file = file.get(), .offset = 3};
    std::vector<float> a(count - 5), b(count - 5);
    memory.read(5, a.size(), a.data());
    stored.read(5, b.size(), b.data());
    CHECK(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
  }
}

}  // namespace
}  // namespace gteway
