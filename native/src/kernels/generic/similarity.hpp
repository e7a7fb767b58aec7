// Everything that sums over the dimensions of a row: dot product, cosine, L2 normalisation.
#pragma once

#include <cmath>
#include <cstddef>

namespace gteway::kernels {
namespace {

template <class F64>
double dot_f32(const float* a, const float* b, size_t dims) noexcept {
  constexpr size_t kLanes = F64::kLanes, kVectors = 32 / kLanes;
  F64 sum[kVectors];  // the contract's 32 partial sums
  for (size_t v = 0; v < kVectors; ++v) sum[v] = F64::of(0);
  size_t i = 0;
  for (; i + 32 <= dims; i += 32)
    for (size_t v = 0; v < kVectors; ++v)
      sum[v] = fma(F64::load(a + i + v * kLanes), F64::load(b + i + v * kLanes), sum[v]);
  // The zeros behind the last elements add +0, which changes no partial sum: none is ever -0.
  const size_t rest = dims - i;
  for (size_t v = 0; v < kVectors; ++v)
    if (rest > v * kLanes) {
      const size_t at = i + v * kLanes, count = rest - v * kLanes;
      sum[v] = count >= kLanes ? fma(F64::load(a + at), F64::load(b + at), sum[v])
                               : fma(F64::load(a + at, count), F64::load(b + at, count), sum[v]);
    }
  for (size_t half = kVectors / 2; half > 0; half /= 2)
    for (size_t v = 0; v < half; ++v) sum[v] = sum[v] + sum[v + half];
  return sum_lanes(sum[0]);
}

template <class F64>
double cosine_f32(const float* a, const float* b, size_t dims) noexcept {
  const double aa = dot_f32<F64>(a, a, dims), bb = dot_f32<F64>(b, b, dims);
  if (aa == 0 || bb == 0) return 0;
  return dot_f32<F64>(a, b, dims) / std::sqrt(aa * bb);
}

template <class F64>
void l2_normalize_f32(float* x, size_t dims) noexcept {
  const double norm = std::sqrt(dot_f32<F64>(x, x, dims));
  const F64 scale = F64::of(1 / (norm < 1e-12 ? 1e-12 : norm));
  size_t i = 0;
  for (; i + F64::kLanes <= dims; i += F64::kLanes) (F64::load(x + i) * scale).store(x + i);
  if (i < dims) (F64::load(x + i, dims - i) * scale).store(x + i, dims - i);
}

}  // namespace
}  // namespace gteway::kernels
