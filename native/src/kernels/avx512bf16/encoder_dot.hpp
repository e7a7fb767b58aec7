// Products of bfloat16. Internal to every file that includes it.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/encoder_product.hpp"

namespace gteway::kernels {
namespace {

struct DotBf16 {
  using Element = uint16_t;
  using Sum = __m512;
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(Sum sum, __m512i a, __m512i b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
  static void store(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }
};

}  // namespace
}  // namespace gteway::kernels
