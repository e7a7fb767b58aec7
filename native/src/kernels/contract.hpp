// Every kernel's contract: what it computes, to the bit. Plain types only: this is the one project header
// that files compiled for an instruction set include, and nothing in it may become code there.
//
// All of them: row-major float32 unless the name says otherwise; sizes and strides in elements, any size from
// 0; buffers may be unaligned to anything but their element, and must not overlap; noexcept, never allocate,
// write nothing beyond their output. Preconditions are checked above, once. The floating-point environment is
// the default one (round to nearest, no flush to zero).
//
// The scalar version is the definition, and every implementation gives the same bits (the sign and payload of
// a NaN aside), so a vector does not depend on the CPU that made it. Two facts make that cheap:
//   - sums are float64. A product of two float32 is exact in float64 (24 + 24 ≤ 53 bits of mantissa), so a
//   fused
//     multiply-add and a separate one round alike, squares neither overflow nor underflow, and a sum of n
//     terms is off by n × 2^-53 at most;
//   - the order of additions is fixed. Pooling adds rows first to last, per dimension. A sum over dimensions
//   is 32
//     partial sums, partial j of the elements j, j + 32, j + 64, …; then for h = 16, 8, 4, 2, 1: partial j +=
//     partial j + h for j < h. 32 is eight 4-lane or four 8-lane accumulators: enough chains to hide the
//     latency of an addition.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gteway::kernels {

// out[d] = (Σ_r x[r * stride + d]) / rows.  x: [rows, dims], `stride` ≥ dims elements between rows; rows ≥ 1.
// Every row counts: callers pass the rows of real tokens, padding lies behind them.
using PoolMeanF32 = void(const float* x, size_t rows, size_t stride, size_t dims, float* out) noexcept;

// out[d] = (Σ_r table[rows[r] * dims + d] * scales[r]) / count: the mean of some rows of a table, in that
// order; `scales` null: of rows as they are. count ≥ 1. (The products are exact in float64.)
using PoolRowsF32 = void(const float* table, const uint32_t* rows, const float* scales, size_t count,
                         size_t dims, float* out) noexcept;

// x[i] *= 1 / max(sqrt(Σ x²), 1e-12), in place; the same floor as torch.nn.functional.normalize.
using L2NormalizeF32 = void(float* x, size_t dims) noexcept;

// Σ a[i] b[i], not rounded to float32.
using DotF32 = double(const float* a, const float* b, size_t dims) noexcept;

// a·b / sqrt(a·a × b·b); 0 where a·a or b·b is 0.
using CosineF32 = double(const float* a, const float* b, size_t dims) noexcept;

// IEEE half bit patterns. To half: round to nearest, ties to even; overflow becomes infinity. Both ways a NaN
// keeps its sign and the upper bits of its payload, and a signalling one becomes quiet.
using F32ToF16 = void(const float* x, size_t count, uint16_t* out) noexcept;
using F16ToF32 = void(const uint16_t* x, size_t count, float* out) noexcept;

// bfloat16 bit patterns: the upper half of a float32. Rounded like F32ToF16; subnormals are kept.
using F32ToBf16 = void(const float* x, size_t count, uint16_t* out) noexcept;
using Bf16ToF32 = void(const uint16_t* x, size_t count, float* out) noexcept;

// out[i] = clamp(round-half-even(x[i] * scale), -127, 127); the product is a float32; NaN becomes 0.
using F32ToI8 = void(const float* x, size_t count, float scale, int8_t* out) noexcept;

// Sign bits, most significant bit first: bit (7 - i % 8) of out[i / 8] is x[i] > 0. Unused bits of the last
// byte are 0. out: [ceil(count / 8)].
using F32ToBits = void(const float* x, size_t count, uint8_t* out) noexcept;

// Σ a[i] b[i], exact. dims ≤ 131,071, beyond which a sum could leave int32.
using DotI8 = int32_t(const int8_t* a, const int8_t* b, size_t dims) noexcept;

// How many bits of the two differ. bytes < 2^28.
using HammingBits = uint32_t(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept;

// Sorts bytes of UTF-8 text into kinds, as the first look of a BERT pre-tokenizer. text, folded: [blocks *
// 64]; the others: [blocks], bit i of word b for byte b * 64 + i.
//   punctuation: the ASCII characters that are neither letters, digits, controls nor the space
//   other:       bytes from 0x80, 0x00, and the remaining controls (0x01 to 0x1F, 0x7F) unless kKeepControls
//   in_word:     letters, digits, `other`, and with kKeepControls the controls that are no white space
// What is none of them separates words: space, tab, line feed, carriage return, with kKeepControls 0x0B and
// 0x0C too. folded: the bytes with 0x00 as 0xFF, and with kFoldCase A to Z as a to z.
enum ClassifyOptions : unsigned { kFoldCase = 1, kKeepControls = 2 };
using ClassifyText = void(const char* text, size_t blocks, unsigned options, char* folded, uint64_t* in_word,
                          uint64_t* punctuation, uint64_t* other) noexcept;

// What one instruction set has; null where it has no version of its own.
struct Table {
  PoolMeanF32* pool_mean_f32;
  PoolRowsF32* pool_rows_f32;
  L2NormalizeF32* l2_normalize_f32;
  DotF32* dot_f32;
  CosineF32* cosine_f32;
  F32ToF16* f32_to_f16;
  F16ToF32* f16_to_f32;
  F32ToBf16* f32_to_bf16;
  Bf16ToF32* bf16_to_f32;
  F32ToI8* f32_to_i8;
  F32ToBits* f32_to_bits;
  DotI8* dot_i8;
  HammingBits* hamming_bits;
  ClassifyText* classify_text;
};

}  // namespace gteway::kernels
