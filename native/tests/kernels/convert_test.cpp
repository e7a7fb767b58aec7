#include "kernels/kernel_case.hpp"

using namespace gteway::test;
using gteway::kernels::Table;

// Calls a conversion on `x` in odd-sized pieces at unaligned addresses, checking the bytes around each piece.
template <class From, class To, class Convert>
static std::vector<To> convert_in_pieces(const std::vector<From>& x, Convert convert) {
  std::vector<To> result;
  for (size_t begin = 0, step = 1; begin < x.size(); begin += step, step = step % 131 + 1) {
    const size_t count = std::min(step, x.size() - begin);
    Input<From> from(count);
    for (size_t i = 0; i < count; ++i) from[i] = x[begin + i];
    Guarded<To> to(count, step % 3);
    convert(from.data(), count, to.data());
    CHECK(to.intact());
    for (size_t i = 0; i < count; ++i) result.push_back(to[i]);
    step = count;
  }
  return result;
}

// The value of a half by the definition of IEEE 754 binary16; NaN for the patterns that are.
static double value_of_half(uint16_t half) {
  const int exponent = (half >> 10) & 31, mantissa = half & 0x3ff;
  const double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa == 0 ? sign * kInf : static_cast<double>(kNan);
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

// The nearest half by search over all of them, ties to the even pattern: slow, and nothing like the kernels.
static uint16_t nearest_half(float x) {
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(x));
  if (magnitude >= 65520) return sign | 0x7c00;
  uint16_t low = 0, high = 0x7c00;  // positive patterns are in the order of their values
  while (high - low > 1) {
    const uint16_t middle = static_cast<uint16_t>((low + high) / 2);
    (value_of_half(middle) <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - value_of_half(low);
  const double above = (high == 0x7c00 ? 65536 : value_of_half(high)) - magnitude;
  const bool up = above < below || (above == below && low % 2 == 1);
  return static_cast<uint16_t>(sign | (up ? high : low));
}

static std::vector<uint16_t> all_patterns() {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  return all;
}

static bool half_is_nan(uint16_t half) { return (half & 0x7fff) > 0x7c00; }
static bool bf16_is_nan(uint16_t bf16) { return (bf16 & 0x7fff) > 0x7f80; }

KERNEL_TEST("f16_to_f32 gives every one of the 65,536 halfs its value") {
  const auto result = convert_in_pieces<uint16_t, float>(all_patterns(), kernels.f16_to_f32);
  for (size_t i = 0; i < result.size(); ++i) {
    const auto half = static_cast<uint16_t>(i);
    if (half_is_nan(half)) {
      const uint32_t quiet = (half & 0x8000u) << 16 | 0x7fc00000u | (half & 0x3ffu) << 13;
      CHECK_EQ(bits_of(result[i]), quiet);
    } else {
      CHECK_EQ(static_cast<double>(result[i]), value_of_half(half));
      CHECK_EQ(std::signbit(result[i]), half >= 0x8000);
    }
  }
}

KERNEL_TEST("f32_to_f16 brings every half back") {
  const auto floats = convert_in_pieces<uint16_t, float>(all_patterns(), kernels.f16_to_f32);
  const auto halfs = convert_in_pieces<float, uint16_t>(floats, kernels.f32_to_f16);
  for (size_t i = 0; i < halfs.size(); ++i) {
    const auto half = static_cast<uint16_t>(i);
    CHECK_EQ(halfs[i], half_is_nan(half) ? half | 0x200 : half);
  }
}

// Around every half: its value, the midpoint to the next, and the float32 on each side of the midpoint.
static std::vector<float> around_halfs() {
  std::vector<float> result(kSpecial);
  for (uint16_t half = 0; half < 0x7c00; ++half) {
    const double next = half + 1 == 0x7c00 ? 65536 : value_of_half(static_cast<uint16_t>(half + 1));
    const auto middle = static_cast<float>((value_of_half(half) + next) / 2);
    for (const float value : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, kInf)}) {
      result.push_back(value);
      result.push_back(-value);
    }
  }
  std::mt19937 generator(1);
  for (int i = 0; i < 100'000; ++i) result.push_back(float_of(generator()));
  return result;
}

KERNEL_TEST("f32_to_f16 rounds to the nearest half, ties to even, subnormals and overflow included") {
  const std::vector<float> x = around_halfs();
  const auto result = convert_in_pieces<float, uint16_t>(x, kernels.f32_to_f16);
  const auto expected = convert_in_pieces<float, uint16_t>(x, scalar.f32_to_f16);
  for (size_t i = 0; i < x.size(); ++i) {
    CHECK_EQ(result[i], expected[i]);
    if (std::isnan(x[i])) {
      CHECK(half_is_nan(result[i]));
    } else {
      CHECK_EQ(result[i], nearest_half(x[i]));
    }
  }
}

KERNEL_TEST("bf16_to_f32 is the upper half of a float32, for all 65,536") {
  const auto result = convert_in_pieces<uint16_t, float>(all_patterns(), kernels.bf16_to_f32);
  for (size_t i = 0; i < result.size(); ++i) CHECK_EQ(bits_of(result[i]), static_cast<uint32_t>(i) << 16);
}

KERNEL_TEST("f32_to_bf16 brings every bfloat16 back") {
  const auto floats = convert_in_pieces<uint16_t, float>(all_patterns(), kernels.bf16_to_f32);
  const auto result = convert_in_pieces<float, uint16_t>(floats, kernels.f32_to_bf16);
  for (size_t i = 0; i < result.size(); ++i) {
    const auto bf16 = static_cast<uint16_t>(i);
    CHECK_EQ(result[i], bf16_is_nan(bf16) ? bf16 | 0x40 : bf16);
  }
}

KERNEL_TEST("f32_to_bf16 rounds to the nearest bfloat16, ties to even, subnormals included") {
  std::vector<float> x;
  for (uint32_t upper = 0; upper < 65536; ++upper)
    for (const uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      x.push_back(float_of(upper << 16 | lower));
  const auto result = convert_in_pieces<float, uint16_t>(x, kernels.f32_to_bf16);
  for (size_t i = 0; i < x.size(); ++i) {
    const uint32_t bits = bits_of(x[i]);
    if (std::isnan(x[i])) {
      CHECK_EQ(result[i], (bits >> 16) | 0x40);
      continue;
    }
    // Neighbours are patterns apart by one; the distance is the lower half in units of the float32's last
    // place.
    const uint32_t low = bits >> 16, lower = bits & 0xffff;
    const bool up = lower > 0x8000 || (lower == 0x8000 && low % 2 == 1);
    CHECK_EQ(result[i], low + up);
  }
}

KERNEL_TEST("f32_to_i8 rounds half to even, clamps to ±127 and makes NaN 0") {
  for (const float scale : {1.0f, 127.0f, -3.7f, 0.0f, kInf, kNan}) {
    std::vector<float> x(kSpecial);
    for (int i = -600; i <= 600; ++i) x.push_back(static_cast<float>(i) / 4);
    std::mt19937 generator(2);
    for (int i = 0; i < 20'000; ++i) x.push_back(float_of(generator()));
    const auto convert = [&](const float* from, size_t count, int8_t* to) {
      kernels.f32_to_i8(from, count, scale, to);
    };
    const auto result = convert_in_pieces<float, int8_t>(x, convert);
    for (size_t i = 0; i < x.size(); ++i) {
      const float product = x[i] * scale;
      const double expected =
          std::isnan(product) ? 0 : std::nearbyint(std::fmin(std::fmax(product, -127.0), 127.0));
      if (result[i] != expected)
        fail(__FILE__, __LINE__,
             show(x[i]) + " * " + show(scale) + ": " + show(int{result[i]}) + ", not " + show(expected));
    }
  }
}

KERNEL_TEST("f32_to_bits packs signs, most significant bit first, and clears the last byte's rest") {
  for (const size_t count : kSizes) {
    Input<float> x(count);
    fill_normal(x.data(), count, static_cast<uint32_t>(count) + 9);
    for (size_t i = 0; i < count; i += 3) x[i] = kSpecial[i % kSpecial.size()];
    Guarded<uint8_t> out((count + 7) / 8);
    kernels.f32_to_bits(x.data(), count, out.data());
    CHECK(out.intact());
    for (size_t i = 0; i < out.size() * 8; ++i) {
      const bool bit = (out[i / 8] >> (7 - i % 8) & 1) != 0;
      CHECK_EQ(bit, i < count && x[i] > 0);
    }
  }
}

KERNEL_TEST("conversions of nothing write nothing") {
  Guarded<uint8_t> out(0);
  const float x = 1;
  const uint16_t half = 0x3c00;
  void* to = out.data();
  kernels.f32_to_f16(&x, 0, static_cast<uint16_t*>(to));
  kernels.f16_to_f32(&half, 0, static_cast<float*>(to));
  kernels.f32_to_bf16(&x, 0, static_cast<uint16_t*>(to));
  kernels.bf16_to_f32(&half, 0, static_cast<float*>(to));
  kernels.f32_to_i8(&x, 0, 1, static_cast<int8_t*>(to));
  kernels.f32_to_bits(&x, 0, out.data());
  CHECK(out.intact());
}
