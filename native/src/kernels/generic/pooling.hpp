// The mean of rows.
#pragma once

#include <cstddef>

namespace gteway::kernels {
namespace {

// The mean of columns [0, F64::kLanes × kVectors) of x, whose sums stay in registers over all the rows.
template <class F64, size_t kVectors>
inline void pool_columns(const float* x, size_t rows, size_t stride, F64 count, float* out) {
  F64 sum[kVectors];
  for (size_t v = 0; v < kVectors; ++v) sum[v] = F64::of(0);
  for (size_t r = 0; r < rows; ++r, x += stride)
    for (size_t v = 0; v < kVectors; ++v) sum[v] = sum[v] + F64::load(x + v * F64::kLanes);
  for (size_t v = 0; v < kVectors; ++v) (sum[v] / count).store(out + v * F64::kLanes);
}

template <class F64>
void pool_mean_f32(const float* x, size_t rows, size_t stride, size_t dims, float* out) noexcept {
  constexpr size_t kLanes = F64::kLanes, kMost = F64::kSums * kLanes;
  const F64 count = F64::of(static_cast<double>(rows));
  size_t d = 0;
  for (; d + kMost <= dims; d += kMost)
    pool_columns<F64, kMost / kLanes>(x + d, rows, stride, count, out + d);
  if constexpr (kMost > 32)
    for (; d + 32 <= dims; d += 32) pool_columns<F64, 32 / kLanes>(x + d, rows, stride, count, out + d);
  for (; d + kLanes <= dims; d += kLanes) pool_columns<F64, 1>(x + d, rows, stride, count, out + d);
  if (d == dims) return;
  F64 sum = F64::of(0);
  for (size_t r = 0; r < rows; ++r) sum = sum + F64::load(x + r * stride + d, dims - d);
  (sum / count).store(out + d, dims - d);
}

}  // namespace
}  // namespace gteway::kernels
