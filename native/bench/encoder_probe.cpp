#include "encoder_probe.hpp"

#include <algorithm>
#include <chrono>

#include "kernels/encoder_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gteway::bench {

#if defined(__x86_64__)
namespace {

// Fourteen independent sums: more than two multipliers of latency 4 or 5 need.
#define PROBE(name, isa, Register, zero, step)                                            \
  __attribute__((target(isa), noinline)) void name(int rounds) {                          \
    Register sum[14], a = zero(), b = zero();                                             \
    for (Register & one : sum) one = zero();                                              \
    for (int i = 0; i < rounds; ++i) {                                                    \
      asm volatile("" : "+v"(a), "+v"(b));                                                \
      _Pragma("GCC unroll 14") for (int j = 0; j < 14; ++j) sum[j] = step;                \
    }                                                                                     \
    _Pragma("GCC unroll 14") for (int j = 0; j < 14; ++j) asm volatile("" ::"v"(sum[j])); \
  }
PROBE(probe_fma256, "avx2,fma", __m256, _mm256_setzero_ps, _mm256_fmadd_ps(a, b, sum[j]))
PROBE(probe_fma512, "avx512f", __m512, _mm512_setzero_ps, _mm512_fmadd_ps(a, b, sum[j]))
PROBE(probe_bf16, "avx512f,avx512bf16", __m512, _mm512_setzero_ps,
      _mm512_dpbf16_ps(sum[j], (__m512bh)a, (__m512bh)b))
PROBE(probe_int8_256, "avx2,avxvnni", __m256i, _mm256_setzero_si256, _mm256_dpbusd_avx_epi32(sum[j], a, b))
PROBE(probe_int8, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512, _mm512_dpbusd_epi32(sum[j], a, b))
#undef PROBE

double rate(void (*probe)(int), double operations) {
  constexpr int kRounds = 10000;
  double best = 1e9;
  for (int i = 0; i < 60; ++i) {
    const auto start = std::chrono::steady_clock::now();
    probe(kRounds);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return 14 * kRounds * operations / best;
}

}  // namespace

PeakRates peak_rates() {
  const auto supports = [](std::string_view isa) {
    for (const kernels::Implementation& one : kernels::implementations())
      if (one.isa == isa) return one.supported;
    return false;
  };
  const bool is_wide = supports("avx512") && kernels::active_isa().starts_with("avx512");
  const bool is_narrow = kernels::active_isa() == "avx2" || kernels::active_isa() == "avxvnni";
  return {
      .f32 = is_wide            ? rate(probe_fma512, 32)
             : supports("avx2") ? rate(probe_fma256, 16)
                                : 0,
      .bf16 = supports("avx512bf16") ? rate(probe_bf16, 64) : 0,
      .int8 = supports("avx512vnni") && !is_narrow ? rate(probe_int8, 128)
              : supports("avxvnni")                ? rate(probe_int8_256, 64)
                                                   : 0,
  };
}

#else

PeakRates peak_rates() { return {}; }

#endif

}  // namespace gteway::bench
