#include "engine/cuda/emulation/device.hpp"

#include <cstring>
#include <stdexcept>

namespace gteway::cuda::emulation {
namespace {

struct MatrixLoad {
  uint32_t* r;
  const void* row;
};

uint32_t pair_of(uint16_t first, uint16_t second) { return first | static_cast<uint32_t>(second) << 16; }

template <bool kTransposed>
void meet_at_load(void* const* operands, size_t) {
  uint16_t matrices[4][8][8];
  for (size_t lane = 0; lane < 32; ++lane) {
    const void* row = static_cast<MatrixLoad*>(operands[lane])->row;
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0)
      throw std::logic_error("ldmatrix: a row is not aligned to 16 bytes");
    std::memcpy(matrices[lane / 8][lane % 8], row, 16);
  }
  for (size_t lane = 0; lane < 32; ++lane) {
    auto* load = static_cast<MatrixLoad*>(operands[lane]);
    for (size_t m = 0; m < 4; ++m) {
      const size_t i = lane / 4, j = lane % 4 * 2;
      load->r[m] = kTransposed ? pair_of(matrices[m][j][i], matrices[m][j + 1][i])
                               : pair_of(matrices[m][i][j], matrices[m][i][j + 1]);
    }
  }
}

struct Product {
  float* d;
  const uint32_t* a;
  uint32_t b[2];
  float (*widen)(uint16_t);
};

// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type". The order in which the hardware sums
// is not documented; here the sixteen products are summed in float64 and the sum is added in float32.
void meet_at_product(void* const* operands, size_t) {
  float a[16][16], b[16][8], d[16][8];
  const auto lane_of = [&](size_t lane) -> Product& { return *static_cast<Product*>(operands[lane]); };
  const auto widen = lane_of(0).widen;
  for (size_t lane = 0; lane < 32; ++lane) {
    const Product& p = lane_of(lane);
    const size_t group = lane / 4, column = lane % 4 * 2;
    for (size_t r = 0; r < 4; ++r)
      for (size_t half = 0; half < 2; ++half)
        a[group + r % 2 * 8][column + r / 2 * 8 + half] = widen(static_cast<uint16_t>(p.a[r] >> (16 * half)));
    for (size_t r = 0; r < 2; ++r)
      for (size_t half = 0; half < 2; ++half)
        b[column + r * 8 + half][group] = widen(static_cast<uint16_t>(p.b[r] >> (16 * half)));
    for (size_t r = 0; r < 4; ++r) d[group + r / 2 * 8][column + r % 2] = p.d[r];
  }
  for (auto i = 0; i < 16; ++i)
    for (auto j = 0; j < 8; ++j) {
      double sum = 0;
      for (auto k = 0; k < 16; ++k) sum += static_cast<double>(a[i][k]) * static_cast<double>(b[k][j]);
      d[i][j] += static_cast<float>(sum);
    }
  for (size_t lane = 0; lane < 32; ++lane)
    for (size_t r = 0; r < 4; ++r) lane_of(lane).d[r] = d[lane / 4 + r / 2 * 8][lane % 4 * 2 + r % 2];
}

struct Exchange {
  uint32_t value;
  uint32_t source;
  uint32_t result;
};

void meet_at_exchange(void* const* operands, size_t size) {
  for (size_t lane = 0; lane < size; ++lane) {
    auto* own = static_cast<Exchange*>(operands[lane]);
    own->result = static_cast<Exchange*>(operands[own->source])->value;
  }
}

}  // namespace

float fp16_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 31U, mantissa = bits & 0x3ffU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  return sign != 0 ? -magnitude : magnitude;
}

void load_matrices(uint32_t (&r)[4], const void* row) {
  MatrixLoad operand{r, row};
  collective("ldmatrix", 32, &operand, meet_at_load<false>);
}

void load_matrices_transposed(uint32_t (&r)[4], const void* row) {
  MatrixLoad operand{r, row};
  collective("ldmatrix.trans", 32, &operand, meet_at_load<true>);
}

void multiply_add(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, float (*widen)(uint16_t)) {
  Product operand{d, a, {b0, b1}, widen};
  collective("mma.m16n8k16", 32, &operand, meet_at_product);
}

uint32_t exchange(uint32_t value, uint32_t source_lane, const char* kind) {
  Exchange operand{value, source_lane, 0};
  collective(kind, 32, &operand, meet_at_exchange);
  return operand.result;
}

}  // namespace gteway::cuda::emulation

void __syncthreads() {
  using namespace gteway::cuda::emulation;
  collective("__syncthreads", blockDim.x, nullptr, [](void* const*, size_t) {});
}

void __syncwarp(uint32_t) {
  using namespace gteway::cuda::emulation;
  collective("__syncwarp", 32, nullptr, [](void* const*, size_t) {});
}
