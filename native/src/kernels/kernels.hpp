// Every kernel's contract, and how the best implementation is chosen.
//
// All of them: row-major float32 unless the name says otherwise; sizes in elements, strides in elements;
// buffers may be unaligned and must not overlap unless said; noexcept, never allocate. Preconditions are
// checked above, once. The scalar version of a kernel is its definition. Tolerances of the others:
// native/tests/kernels/tolerance.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace gteway::kernels {

struct Table {
  // out[d] = (1 / rows) Σ_r x[r * stride + d].  x: [rows, dims] with `stride` ≥ dims between rows; rows ≥ 1.
  // The sum is over real tokens only: callers pass the count of real tokens, padding lies behind them.
  void (*pool_mean_f32)(const float* x, size_t rows, size_t stride, size_t dims, float* out) noexcept;

  // x[i] /= max(sqrt(Σ x²), 1e-12), in place; the same floor as torch.nn.functional.normalize.
  void (*l2_normalize_f32)(float* x, size_t dims) noexcept;

  float (*dot_f32)(const float* a, const float* b, size_t dims) noexcept;

  // a·b / (|a| |b|); 0 where one of them is the zero vector.
  float (*cosine_f32)(const float* a, const float* b, size_t dims) noexcept;

  // Round to nearest, ties to even; NaN stays NaN, overflow becomes infinity. IEEE half / bfloat16 bit
  // patterns.
  void (*f32_to_f16)(const float* x, size_t count, uint16_t* out) noexcept;
  void (*f16_to_f32)(const uint16_t* x, size_t count, float* out) noexcept;
  void (*f32_to_bf16)(const float* x, size_t count, uint16_t* out) noexcept;
  void (*bf16_to_f32)(const uint16_t* x, size_t count, float* out) noexcept;

  // out[i] = clamp(round-half-even(x[i] * scale), -127, 127); NaN becomes 0.
  void (*f32_to_i8)(const float* x, size_t count, float scale, int8_t* out) noexcept;

  // Sign bits, most significant bit first: bit (7 - i % 8) of out[i / 8] is x[i] > 0. Unused bits of the last
  // byte are 0.
  void (*f32_to_bits)(const float* x, size_t count, uint8_t* out) noexcept;
};

// One implementation per instruction set. A null member of `table` falls to the next best set that has it.
struct Implementation {
  std::string_view
      isa;         // "scalar", "avx2", "avx512", "neon": also the folder, and the value of GTEWAY_FORCE_ISA
  bool supported;  // this machine can run it
  Table table;
};

// Best first; "scalar" is last, complete, and always supported.
std::span<const Implementation> implementations() noexcept;

// The kernels in use, complete. Chosen once, on first use: the best supported, or the one GTEWAY_FORCE_ISA
// names. Throws Error{kInvalidArgument} when GTEWAY_FORCE_ISA names a set that is unknown or that this
// machine lacks, with the list of those it has.
const Table& active();

// The instruction set active() was chosen for.
std::string_view active_isa();

// The complete table for one instruction set (holes filled from the next best), for tests and benches.
// Throws like active().
Table table_for(std::string_view isa);

}  // namespace gteway::kernels
