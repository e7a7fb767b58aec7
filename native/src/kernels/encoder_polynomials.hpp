// Coefficients of the encoder's elementary functions, constant term first. As the contracts: plain data,
// included by files compiled for an instruction set.
//
// Fitted with Lawson's algorithm (iteratively reweighted least squares on 3,000 Chebyshev nodes), then
// rounded to float32.
#pragma once

namespace gteway::kernels {

// 2^f for |f| ≤ 1/2; relative error 7.5e-8.
constexpr float kExp2Polynomial[] = {0x1.000002p+0F, 0x1.62e428p-1F, 0x1.ebf918p-3F,
                                     0x1.c6b6e4p-5F, 0x1.3d0c52p-7F, 0x1.5c08e6p-10F};

// gelu(x) = x Φ(x) = max(x, 0) - |x| Φ(-|x|). The second term is a bump that is 0 at 0 and again beyond
// kBumpEnd: a Φ(-a) in t = 2 a / kBumpEnd - 1 for 0 ≤ a ≤ kBumpEnd; absolute error 5.3e-7.
constexpr float kBumpEnd = 5.3F;
constexpr float kBumpPolynomial[] = {0x1.5d7e32p-7F, -0x1.2af4b2p-4F, 0x1.ae1a6p-3F,   -0x1.2f158ap-2F,
                                     0x1.a63d0cp-4F, 0x1.5e16ep-2F,   -0x1.322e2ap-1F, 0x1.2b5ae4p-2F,
                                     0x1.22642ep-2F, -0x1.b7178cp-2F, 0x1.b04fb8p-5F,  0x1.98efb8p-3F,
                                     -0x1.54b75p-4F, -0x1.27fba2p-5F, 0x1.593a62p-6F};

constexpr float kLog2E = 1.4426950409F;

// gelu_tanh(x) = x / (1 + 2^(-x (kTanhLinear + kTanhCubic x²))): 2 sqrt(2 / pi) log2 e, and 0.044715 times
// it.
constexpr float kTanhLinear = 2.3022081966F;
constexpr float kTanhCubic = 0.044715F * kTanhLinear;

}  // namespace gteway::kernels
