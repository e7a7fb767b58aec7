// All of the contract's kernels over one instruction set's vectors. F32, F64 and Bytes are its lanes.hpp's.
#pragma once

#include "kernels/contract.hpp"
#include "kernels/generic/convert.hpp"
#include "kernels/generic/pooling.hpp"
#include "kernels/generic/quantized.hpp"
#include "kernels/generic/similarity.hpp"
#include "kernels/generic/text.hpp"

namespace gteway::kernels {
namespace {

template <class F32, class F64, class Bytes>
constexpr Table kTable{
    .pool_mean_f32 = pool_mean_f32<F64>,
    .pool_rows_f32 = pool_rows_f32<F64>,
    .l2_normalize_f32 = l2_normalize_f32<F64>,
    .dot_f32 = dot_f32<F64>,
    .cosine_f32 = cosine_f32<F64>,
    .f32_to_f16 = f32_to_f16<F32>,
    .f16_to_f32 = f16_to_f32<F32>,
    .f32_to_bf16 = f32_to_bf16<F32>,
    .bf16_to_f32 = bf16_to_f32<F32>,
    .f32_to_i8 = f32_to_i8<F32>,
    .f32_to_bits = f32_to_bits<F32>,
    .dot_i8 = dot_i8<Bytes>,
    .hamming_bits = hamming_bits<Bytes>,
    .classify_text = classify_text<Bytes>,
};

}  // namespace
}  // namespace gteway::kernels
