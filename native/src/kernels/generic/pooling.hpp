// The mean of rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gteway::kernels {
namespace {

// Where the rows are that a mean is of, and what each counts.
template <class F64>
struct RowsInTurn {
  const float* x;
  size_t stride;
  const float* row(size_t r) const { return x + r * stride; }
  F64 add(F64 sum, F64 value, size_t) const { return sum + value; }
};
template <class F64>
struct RowsOfTable {
  const float* x;
  const uint32_t* rows;
  size_t dims;
  const float* row(size_t r) const { return x + rows[r] * dims; }
  F64 add(F64 sum, F64 value, size_t) const { return sum + value; }
};
template <class F64>
struct ScaledRowsOfTable {
  RowsOfTable<F64> of;
  const float* scales;
  const float* row(size_t r) const { return of.row(r); }
  F64 add(F64 sum, F64 value, size_t r) const {
    return fma(value, F64::of(static_cast<double>(scales[r])), sum);
  }
};

// The mean of columns [d, d + F64::kLanes × kVectors), whose sums stay in registers over all the rows.
template <class F64, size_t kVectors, class Rows>
inline void pool_columns(const Rows& from, size_t rows, size_t d, F64 count, float* out) {
  F64 sum[kVectors];
  for (size_t v = 0; v < kVectors; ++v) sum[v] = F64::of(0);
  for (size_t r = 0; r < rows; ++r) {
    const float* const x = from.row(r) + d;
    for (size_t v = 0; v < kVectors; ++v) sum[v] = from.add(sum[v], F64::load(x + v * F64::kLanes), r);
  }
  for (size_t v = 0; v < kVectors; ++v) (sum[v] / count).store(out + d + v * F64::kLanes);
}

template <class F64, class Rows>
inline void pool(const Rows& from, size_t rows, size_t dims, float* out) {
  constexpr size_t kLanes = F64::kLanes, kMost = F64::kSums * kLanes;
  const F64 count = F64::of(static_cast<double>(rows));
  size_t d = 0;
  for (; d + kMost <= dims; d += kMost) pool_columns<F64, kMost / kLanes>(from, rows, d, count, out);
  if constexpr (kMost > 32)
    for (; d + 32 <= dims; d += 32) pool_columns<F64, 32 / kLanes>(from, rows, d, count, out);
  for (; d + kLanes <= dims; d += kLanes) pool_columns<F64, 1>(from, rows, d, count, out);
  if (d == dims) return;
  F64 sum = F64::of(0);
  for (size_t r = 0; r < rows; ++r) sum = from.add(sum, F64::load(from.row(r) + d, dims - d), r);
  (sum / count).store(out + d, dims - d);
}

template <class F64>
void pool_mean_f32(const float* x, size_t rows, size_t stride, size_t dims, float* out) noexcept {
  pool<F64>(RowsInTurn<F64>{x, stride}, rows, dims, out);
}

template <class F64>
void pool_rows_f32(const float* table, const uint32_t* rows, const float* scales, size_t count, size_t dims,
                   float* out) noexcept {
  const RowsOfTable<F64> as_they_are{table, rows, dims};
  if (scales == nullptr) return pool<F64>(as_they_are, count, dims, out);
  pool<F64>(ScaledRowsOfTable<F64>{as_they_are, scales}, count, dims, out);
}

}  // namespace
}  // namespace gteway::kernels
