// Linear layers, by definition: one sum per element, first input to last.
#include <cmath>

#include "kernels/encoder_layout.hpp"
#include "kernels/scalar/encoder_numbers.hpp"

namespace gteway::kernels::scalar {
namespace {

// Weights of type T, [out, in], then the biases.
template <class T>
size_t packed_bytes(const LinearShape& shape) {
  return round_up(shape.out * shape.in * sizeof(T), 64) + round_up(shape.out * sizeof(float), 64);
}

template <class T>
float* biases_of(const LinearShape& shape, void* packed) {
  return row_of<float>(packed, round_up(shape.out * shape.in * sizeof(T), 64), 1);
}

template <class T, T (*Convert)(float)>
void pack(const LinearShape& shape, const float* weight, const float* bias, size_t first, size_t columns,
          void* packed) {
  T* const weights = static_cast<T*>(packed) + first * shape.in;
  for (size_t i = 0; i < columns * shape.in; ++i) weights[i] = Convert(weight[i]);
  for (size_t j = 0; j < columns; ++j) biases_of<T>(shape, packed)[first + j] = bias[j];
}

template <class T, float (*Widen)(T)>
void multiply(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
              size_t columns, const Result& y) {
  const float* const biases = biases_of<T>(shape, const_cast<void*>(packed));
  for (size_t r = 0; r < rows; ++r) {
    const T* const input = row_of<T>(x.data, x.stride, r);
    for (size_t c = first; c < first + columns; ++c) {
      const T* const weights = static_cast<const T*>(packed) + c * shape.in;
      float sum = 0;
      for (size_t k = 0; k < shape.in; ++k) sum += Widen(input[k]) * Widen(weights[k]);
      store_result(sum + biases[c], y, r, c);
    }
  }
}

float same(float x) { return x; }

// What follows the int8 weights, [out, in].
struct Int8Layout {
  explicit Int8Layout(const LinearShape& shape)
      : scales(round_up(shape.out * shape.in, 64)),
        biases(scales + round_up(shape.out * sizeof(float), 64)),
        sums(biases + round_up(shape.out * sizeof(float), 64)),
        bytes(sums + round_up(shape.out * groups_of(shape.in, shape.group) * sizeof(int32_t), 64)) {}
  size_t scales, biases;  // [out] float
  size_t sums;            // [out, groups] int32
  size_t bytes;
};

}  // namespace

size_t packed_bytes_f32(const LinearShape& shape) noexcept { return packed_bytes<float>(shape); }

void pack_linear_f32(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                     size_t columns, void* packed) noexcept {
  pack<float, same>(shape, weight, bias, first, columns, packed);
}

void linear_f32(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                size_t columns, const Result& y) noexcept {
  multiply<float, same>(shape, packed, x, rows, first, columns, y);
}

size_t packed_bytes_bf16(const LinearShape& shape) noexcept { return packed_bytes<uint16_t>(shape); }

void pack_linear_bf16(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                      size_t columns, void* packed) noexcept {
  pack<uint16_t, to_bf16>(shape, weight, bias, first, columns, packed);
}

void linear_bf16(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                 size_t columns, const Result& y) noexcept {
  multiply<uint16_t, from_bf16>(shape, packed, x, rows, first, columns, y);
}

size_t packed_bytes_int8(const LinearShape& shape) noexcept { return Int8Layout(shape).bytes; }

void pack_linear_int8(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                      size_t columns, void* packed) noexcept {
  const Int8Layout at(shape);
  const size_t groups = groups_of(shape.in, shape.group);
  for (size_t j = 0; j < columns; ++j) {
    const float* const from = weight + j * shape.in;
    float largest = 0;
    bool is_nan = false;
    for (size_t k = 0; k < shape.in; ++k) {
      is_nan = is_nan || from[k] != from[k];
      largest = std::fmax(largest, std::fabs(from[k]));
    }
    if (is_nan) largest = std::nanf("");
    const float to_q = largest > 0 ? 127 / largest : 0;
    int8_t* const q = row_of<int8_t>(packed, shape.in, first + j);
    int32_t* const sums = row_of<int32_t>(packed, at.sums, 1) + (first + j) * groups;
    for (size_t g = 0; g < groups; ++g) sums[g] = 0;
    for (size_t k = 0; k < shape.in; ++k) {
      const float scaled = std::nearbyint(from[k] * to_q);
      q[k] = static_cast<int8_t>(scaled >= -127 && scaled <= 127 ? scaled : 0);
      sums[k / shape.group] += q[k];
    }
    row_of<float>(packed, at.scales, 1)[first + j] = largest / 127;
    row_of<float>(packed, at.biases, 1)[first + j] = bias[j];
  }
}

void linear_int8(const LinearShape& shape, const void* packed, const Operand& x, size_t rows, size_t first,
                 size_t columns, const Result& y) noexcept {
  const Int8Layout at(shape);
  const size_t groups = groups_of(shape.in, shape.group);
  for (size_t r = 0; r < rows; ++r) {
    const uint8_t* const input = row_of<uint8_t>(x.data, x.stride, r);
    const Quantization* const quantization = x.quantization + r * groups;
    for (size_t c = first; c < first + columns; ++c) {
      const int8_t* const q = row_of<int8_t>(packed, shape.in, c);
      const int32_t* const sums = row_of<int32_t>(packed, at.sums, 1) + c * groups;
      float sum = 0;
      for (size_t g = 0; g < groups; ++g) {
        int32_t product = 0;
        for (size_t k = g * shape.group; k < shape.in && k < (g + 1) * shape.group; ++k)
          product += input[k] * q[k];
        sum += quantization[g].scale * static_cast<float>(product) +
               quantization[g].offset * static_cast<float>(sums[g]);
      }
      const float scale = row_of<float>(packed, at.scales, 1)[c];
      store_result(sum * scale + row_of<float>(packed, at.biases, 1)[c], y, r, c);
    }
  }
}

}  // namespace gteway::kernels::scalar
