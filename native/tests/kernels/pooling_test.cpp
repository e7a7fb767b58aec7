#include <algorithm>

#include "kernels/kernel_case.hpp"
#include "kernels/tolerance.hpp"

using namespace gteway::test;

// One call on [rows, dims] with the given stride, compared with the scalar kernel bit by bit.
static void check_against_scalar(const gteway::kernels::Table& kernels, const gteway::kernels::Table& scalar,
                                 Input<float>& x, size_t rows, size_t stride, size_t dims) {
  Guarded<float> out(dims), expected(dims);
  kernels.pool_mean_f32(x.data(), rows, stride, dims, out.data());
  scalar.pool_mean_f32(x.data(), rows, stride, dims, expected.data());
  CHECK(out.intact());
  for (size_t d = 0; d < dims; ++d)
    if (!same(out[d], expected[d]))
      fail(__FILE__, __LINE__,
           "rows " + show(rows) + " stride " + show(stride) + " dims " + show(dims) + " at " + show(d) +
               ": " + show(out[d]) + " is not scalar's " + show(expected[d]));
}

KERNEL_TEST("pool_mean_f32 is the mean, and the same bits as scalar") {
  for (const size_t dims : kSizes) {
    for (const size_t rows : {size_t{1}, size_t{2}, size_t{3}, size_t{17}, size_t{128}}) {
      for (const size_t gap : {size_t{0}, size_t{3}}) {
        const size_t stride = dims + gap;
        Input<float> x((rows - 1) * stride + dims);
        fill_normal(x.data(), (rows - 1) * stride + dims, static_cast<uint32_t>(rows * 1000 + dims));
        check_against_scalar(kernels, scalar, x, rows, stride, dims);

        Guarded<float> out(dims);
        kernels.pool_mean_f32(x.data(), rows, stride, dims, out.data());
        for (size_t d = 0; d < dims; ++d) {
          long double sum = 0;
          for (size_t r = 0; r < rows; ++r) sum += x[r * stride + d];
          const double mean = static_cast<double>(sum / static_cast<long double>(rows));
          CHECK_NEAR(out[d], mean, std::fabs(mean) * kOneRounding + 1e-15);
        }
      }
    }
  }
}

KERNEL_TEST("pool_rows_f32 is the mean of rows of a table, and the same bits as scalar") {
  constexpr size_t kTable = 40;
  for (const size_t dims : kSizes) {
    Input<float> table(kTable * dims);
    fill_normal(table.data(), kTable * dims, static_cast<uint32_t>(dims));
    for (const size_t count : {size_t{1}, size_t{2}, size_t{3}, size_t{17}, size_t{130}}) {
      Input<uint32_t> rows(count);
      Input<float> scales(count);
      fill_normal(scales.data(), count, static_cast<uint32_t>(count));
      // The last row of the table is among them, and some come twice.
      for (size_t r = 0; r < count; ++r) rows[r] = static_cast<uint32_t>((kTable - 1 + r * 7) % kTable);
      for (const bool scaled : {false, true}) {
        const float* const of_rows = scaled ? scales.data() : nullptr;
        Guarded<float> out(dims), expected(dims);
        kernels.pool_rows_f32(table.data(), rows.data(), of_rows, count, dims, out.data());
        scalar.pool_rows_f32(table.data(), rows.data(), of_rows, count, dims, expected.data());
        CHECK(out.intact());
        for (size_t d = 0; d < dims; ++d) {
          CHECK(same(out[d], expected[d]));
          long double sum = 0, size = 0;
          for (size_t r = 0; r < count; ++r) {
            const long double term = static_cast<long double>(table[rows[r] * dims + d]) *
                                     (scaled ? static_cast<long double>(scales[r]) : 1);
            sum += term;
            size += std::fabs(term);
          }
          const auto mean = static_cast<double>(sum / static_cast<long double>(count));
          CHECK_NEAR(out[d], mean, std::fabs(mean) * kOneRounding + static_cast<double>(size) * 1e-14);
        }
      }
    }
  }
}

KERNEL_TEST(
    "pool_rows_f32 keeps NaN and infinities in their dimension, and a scale of 0 takes a finite row away") {
  const size_t n = kSpecial.size();
  Input<float> table(2 * n);
  Input<float> scales(2);
  Input<uint32_t> rows(2);
  for (size_t d = 0; d < n; ++d) {
    table[d] = kSpecial[d];
    table[n + d] = 1;
  }
  rows[0] = 1;
  rows[1] = 0;
  scales[0] = 0;
  scales[1] = 2;
  Guarded<float> out(n), expected(n);
  kernels.pool_rows_f32(table.data(), rows.data(), scales.data(), 2, n, out.data());
  scalar.pool_rows_f32(table.data(), rows.data(), scales.data(), 2, n, expected.data());
  for (size_t d = 0; d < n; ++d) CHECK(same(out[d], expected[d]));
}

KERNEL_TEST("pool_mean_f32 of one row is that row") {
  Input<float> x(384);
  fill_normal(x.data(), 384, 7);
  Guarded<float> out(384);
  kernels.pool_mean_f32(x.data(), 1, 384, 384, out.data());
  for (size_t d = 0; d < 384; ++d) CHECK(same(out[d], x[d]));
}

KERNEL_TEST("pool_mean_f32 reads no element between rows and none behind the last") {
  const size_t dims = 13, stride = 20, rows = 5;
  Input<float> x((rows - 1) * stride + dims);
  for (size_t i = 0; i < (rows - 1) * stride + dims; ++i) x[i] = i % stride < dims ? 1.0f : kNan;
  Guarded<float> out(dims);
  kernels.pool_mean_f32(x.data(), rows, stride, dims, out.data());
  for (size_t d = 0; d < dims; ++d) CHECK_EQ(out[d], 1.0f);
}

KERNEL_TEST("pool_mean_f32 neither overflows nor loses small terms") {
  const size_t rows = 4096, dims = 33;
  Input<float> x(rows * dims);
  for (size_t r = 0; r < rows; ++r)
    for (size_t d = 0; d < dims; ++d) x[r * dims + d] = d % 2 == 0 ? kMax : r == 0 ? 16777216.0f : 1.0f;
  Guarded<float> out(dims);
  kernels.pool_mean_f32(x.data(), rows, dims, dims, out.data());
  for (size_t d = 0; d < dims; ++d)
    CHECK_EQ(out[d], d % 2 == 0 ? kMax : static_cast<float>((16777216.0 + 4095.0) / 4096.0));
}

KERNEL_TEST("pool_mean_f32 keeps NaN, infinities and denormals in their dimension") {
  const size_t n = kSpecial.size();
  for (size_t shift = 0; shift < n; ++shift) {
    Input<float> x(2 * n);
    for (size_t d = 0; d < n; ++d) {
      x[d] = kSpecial[d];
      x[n + d] = kSpecial[(d + shift) % n];
    }
    check_against_scalar(kernels, scalar, x, 2, n, n);
  }
}

KERNEL_TEST("pool_mean_f32 divides exactly: a mean half way between two floats goes to the even one") {
  // The mean is 2 - 2^-24, between 2 - 2^-23 and 2. Multiplying by an inverse, even in float64, misses it for
  // some counts of rows.
  const size_t dims = 41;
  for (size_t rows = 2; rows <= 300; ++rows) {
    std::vector<float> column(rows, 2.0f);
    std::fill_n(column.begin(), rows / 2, 2 - 0x1p-23f);
    if (rows % 2 == 1) {
      column[rows - 2] = 1 - 0x1p-24f;
      column[rows - 1] = 3.0f;
    }
    Input<float> x(rows * dims);
    for (size_t i = 0; i < rows * dims; ++i) x[i] = column[i / dims];
    Guarded<float> out(dims);
    kernels.pool_mean_f32(x.data(), rows, dims, dims, out.data());
    for (size_t d = 0; d < dims; ++d) CHECK_EQ(out[d], 2.0f);
  }
}
