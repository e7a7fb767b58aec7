// What the packed encoder is computed with. As contract.hpp: plain types only, included by files compiled for
// an instruction set, and nothing in it may become code there.
//
// Where contract.hpp fixes every bit, these kernels fix three things instead:
//   - A row of any result depends on that row (in attention: on that sequence) alone: not on how many rows or
//     columns one call covers, nor on their values. So a text's vector has the same bits alone, in any batch
//     and with any number of threads. Sums over K run in a fixed order that may differ between instruction
//     sets.
//   - How far results may be from the scalar kernels, which are the definition: native/tests/kernels/
//     encoder_tolerance.hpp.
//   - A NaN in a row makes that row's results NaN; it reaches no other row.
//
// Sizes are in elements, strides in bytes and multiples of 64, unless said otherwise. Pointers to operands,
// packed weights and scratch are 64-byte aligned (columns and rows within them at what the strides give).
// Buffers do not overlap unless said so. noexcept, never allocate.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gteway::kernels {

// A linear layer's columns are packed and shared out in panels. `in` and `out` are multiples of it.
enum : size_t { kPanelColumns = 32 };

// y = x W + b; W: [in, out]. `group`: along K, how many inputs share one quantisation scale (int8 only; a
// multiple of 64; the last group may be shorter). 0 where the kernel does not quantise.
struct LinearShape {
  size_t in;
  size_t out;
  size_t group;
};

// x ≈ scale × q + offset, for the q of one row and one group. offset is the row's minimum there.
struct Quantization {
  float scale;
  float offset;
};

// Rows that enter a product: row-major, [rows, in], element type as the kernel's name says (f32, bf16, u8).
// Readers may load up to the next multiple of 64 bytes after a row's last element and ignore what is there.
struct Operand {
  void* data;
  size_t stride;
  Quantization* quantization;  // u8 only: [rows, ceil(in / group)]
};

// What becomes of x W + b. Outputs are row-major; column c of the layer is column c of the output.
enum class Activation : uint8_t { kNone, kGeluErf, kGeluTanh, kSilu, kRelu };  // at most 1e-6 off, absolute
enum class ResultKind : uint8_t {
  kF32,       // stored
  kAddF32,    // added to what is there: the residual
  kBf16,      // rounded to nearest even; subnormals may become 0
  kTimesF32,  // what is there is multiplied by it: a gate
};
struct Result {
  void* data;
  size_t stride;  // bytes
  ResultKind kind;
  Activation activation;
};

// Bytes of a packed layer: weights, bias and what else the product needs. A multiple of 64.
using PackedBytes = size_t(const LinearShape& shape) noexcept;

// Packs columns [first, first + columns) of W and b; both multiples of kPanelColumns. weight: [columns, in],
// row j is column first + j of W. Calls for different columns may run at the same time.
//   f32   as they are          bf16   rounded to nearest even
//   int8  per column q = round-half-even(w × 127 / max |w|), the int32 sums Σ q of each group beside them
using PackLinear = void(const LinearShape& shape, const float* weight, const float* bias, size_t first,
                        size_t columns, void* packed) noexcept;

// Columns [first, first + columns) of x W + b for `rows` rows of x, accumulated in float32 (int8: exactly in
// int32 within a group, groups first to last in float32).
//   int8:  y = s_c × Σ_g (scale_g × Σ q_x q_w + offset_g × Σ q_w) + b, s_c = max |w| / 127
using MultiplyLinear = void(const LinearShape& shape, const void* packed, const Operand& x, size_t rows,
                            size_t first, size_t columns, const Result& y) noexcept;

// One head of one sequence: out = softmax2(q kᵀ) v with softmax2(s)_j = 2^(s_j - max s) / Σ_j 2^(s_j - max
// s). (The scale 1 / sqrt(head_size) and log2 e are already in q.) q, k, v: [tokens, head_size], `stride`
// between their rows, aligned to 64 bytes at least for head_size × element ≥ 64; out likewise, in the same
// element type. head_size: 32 or 64. tokens ≥ 1.
struct AttentionHead {
  const void* q;
  const void* k;
  const void* v;
  size_t stride;
  size_t tokens;
  size_t head_size;
  void* out;
  size_t out_stride;
  // Null, or bias[j - i] is added to the score of query i and key j (times log2 e, as they are); 32 more
  // behind the last may be read.
  const float* bias = nullptr;
  // Query i sees keys i - reach to i + reach alone. What a block of queries costs is then bounded.
  size_t reach = SIZE_MAX;
};
using AttentionScratch = size_t(size_t tokens, size_t head_size) noexcept;  // bytes
using Attend = void(const AttentionHead& head, void* scratch) noexcept;

// x = (x - mean) / sqrt(variance + epsilon) × gamma + beta per row, in place; dims a multiple of 32. Then the
// row as an operand in `to`: f32 none (x is the operand), bf16 rounded, u8 quantised by quantize_u8's rule.
struct LayerNormalization {
  const float* gamma;
  const float* beta;
  float epsilon;
};
using NormalizeRowsF32 = void(float* x, size_t stride, size_t rows, size_t dims,
                              const LayerNormalization& norm) noexcept;
using NormalizeRowsBf16 = void(float* x, size_t stride, size_t rows, size_t dims,
                               const LayerNormalization& norm, const Operand& to) noexcept;
using NormalizeRowsU8 = void(float* x, size_t stride, size_t rows, size_t dims,
                             const LayerNormalization& norm, size_t group, const Operand& to) noexcept;

// Per row and group: offset = min x, scale = (max x - min x) / 255, q = round-half-even((x - min x) / scale);
// scale = 0 gives q = 0. NaN or infinity anywhere in the group makes its scale NaN.
using QuantizeU8 = void(const float* x, size_t stride, size_t rows, size_t dims, size_t group,
                        const Operand& to) noexcept;

// x[i] = words[ids[i]] + positions[i]; ids < the table's rows. words: [vocabulary, dims], no stride;
// positions: [tokens, dims] float32, the token type's row already added. dims a multiple of 32.
using EmbedF32 = void(const int32_t* ids, size_t tokens, const float* words, const float* positions,
                      size_t dims, float* x, size_t stride) noexcept;
using EmbedBf16 = void(const int32_t* ids, size_t tokens, const uint16_t* words, const float* positions,
                       size_t dims, float* x, size_t stride) noexcept;

// Turns heads in place: of each row, for each of `heads` heads beside each other, d < head_size / 2 and the
// angle whose cosine is turns[d] and whose sine is turns[head_size / 2 + d],
//   x[d], x[d + head_size / 2] = x[d] cos - x[d + head_size / 2] sin, x[d + head_size / 2] cos + x[d] sin
// turns: [rows, head_size].
using TurnHeadsF32 = void(float* x, size_t stride, size_t rows, size_t heads, size_t head_size,
                          const float* turns) noexcept;
using TurnHeadsBf16 = void(uint16_t* x, size_t stride, size_t rows, size_t heads, size_t head_size,
                           const float* turns) noexcept;

// What one instruction set has; null where it has no version of its own. The members of one line belong
// together (they share a layout) and are null together.
struct EncoderTable {
  PackedBytes* packed_bytes_f32;
  PackLinear* pack_linear_f32;
  MultiplyLinear* linear_f32;
  PackedBytes* packed_bytes_bf16;
  PackLinear* pack_linear_bf16;
  MultiplyLinear* linear_bf16;
  PackedBytes* packed_bytes_int8;
  PackLinear* pack_linear_int8;
  MultiplyLinear* linear_int8;
  AttentionScratch* attention_scratch_f32;
  Attend* attention_f32;
  AttentionScratch* attention_scratch_bf16;
  Attend* attention_bf16;
  NormalizeRowsF32* normalize_rows_f32;
  NormalizeRowsBf16* normalize_rows_bf16;
  NormalizeRowsU8* normalize_rows_u8;
  QuantizeU8* quantize_u8;
  EmbedF32* embed_f32;
  EmbedBf16* embed_bf16;
  TurnHeadsF32* turn_heads_f32 = nullptr;
  TurnHeadsBf16* turn_heads_bf16 = nullptr;
};

}  // namespace gteway::kernels
