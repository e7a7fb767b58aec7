// How far a kernel of the encoder may be from the scalar one.
#pragma once

namespace gteway::test {

// A float32 sum of n products, relative to the sum of their magnitudes: each order of additions is off by
// n × 2^-24 at most; a random walk, which is what is seen, by sqrt(n) × 2^-24. n ≤ 4096 here.
inline constexpr double kSumError = 64 * 0x1p-24;

// GELU, SiLU and ReLU, absolute, as the contract has it; their slope is 1.13 at most.
inline constexpr double kGeluError = 1e-6;
inline constexpr double kGeluSlope = 1.13;

// One rounding to bfloat16, relative; twice that where two results lie on both sides of a tie.
inline constexpr double kBf16Step = 0x1p-7;

// LayerNorm of float32, relative to the largest |x - mean| / deviation × |gamma|.
inline constexpr double kNormError = 4e-6;

// Attention, relative to the largest value: scores up to about ±20 are off by 2e-6 each, and 2^score follows.
inline constexpr double kAttentionError = 2e-5;
// Softmax weights rounded to bfloat16, on either side of a tie where scores differ in their last bits.
inline constexpr double kAttentionErrorBf16 = 0x1p-7;

}  // namespace gteway::test
