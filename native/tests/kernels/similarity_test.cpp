#include "kernels/kernel_case.hpp"
#include "kernels/tolerance.hpp"

using namespace gteway::test;
using gteway::kernels::Table;

KERNEL_TEST("dot_f32 is the dot product, and the same bits as scalar") {
  for (const size_t dims : kSizes) {
    Input<float> a(dims), b(dims);
    fill_normal(a.data(), dims, static_cast<uint32_t>(dims));
    fill_normal(b.data(), dims, static_cast<uint32_t>(dims) + 5000);
    const double result = kernels.dot_f32(a.data(), b.data(), dims);
    CHECK(same(result, scalar.dot_f32(a.data(), b.data(), dims)));
    long double sum = 0, magnitude = 0;
    for (size_t i = 0; i < dims; ++i) {
      sum += static_cast<long double>(a[i]) * b[i];
      magnitude += std::fabs(static_cast<long double>(a[i]) * b[i]);
    }
    CHECK_NEAR(result, static_cast<double>(sum),
               static_cast<double>(magnitude) * sum_error(static_cast<double>(dims)));
  }
}

KERNEL_TEST("dot_f32 neither overflows nor underflows") {
  for (const float value : {kMax, kDenormal}) {
    std::vector<float> x(50, value);
    const double square = static_cast<double>(value) * value;
    CHECK_EQ(kernels.dot_f32(x.data(), x.data(), x.size()), 50 * square);
  }
}

KERNEL_TEST("dot_f32 and cosine_f32 give scalar's bits for NaN, infinities and denormals at every position") {
  for (const size_t dims : {size_t{1}, size_t{9}, size_t{37}, size_t{100}}) {
    for (const float special : kSpecial) {
      for (size_t at = 0; at < dims; ++at) {
        Input<float> a(dims), b(dims);
        fill_normal(a.data(), dims, 3);
        fill_normal(b.data(), dims, 4);
        a[at] = special;
        CHECK(same(kernels.dot_f32(a.data(), b.data(), dims), scalar.dot_f32(a.data(), b.data(), dims)));
        CHECK(
            same(kernels.cosine_f32(a.data(), b.data(), dims), scalar.cosine_f32(a.data(), b.data(), dims)));
      }
    }
  }
}

KERNEL_TEST("cosine_f32 is the cosine, and the same bits as scalar") {
  for (const size_t dims : kSizes) {
    Input<float> a(dims), b(dims);
    fill_normal(a.data(), dims, static_cast<uint32_t>(dims) + 1);
    fill_normal(b.data(), dims, static_cast<uint32_t>(dims) + 6000, 1e-20f);
    const double result = kernels.cosine_f32(a.data(), b.data(), dims);
    CHECK(same(result, scalar.cosine_f32(a.data(), b.data(), dims)));
    long double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dims; ++i) {
      ab += static_cast<long double>(a[i]) * b[i];
      aa += static_cast<long double>(a[i]) * a[i];
      bb += static_cast<long double>(b[i]) * b[i];
    }
    const double expected = dims == 0 ? 0 : static_cast<double>(ab / std::sqrt(aa * bb));
    CHECK_NEAR(result, expected, cosine_error(static_cast<double>(dims)));
  }
}

KERNEL_TEST("cosine_f32 is 1 with itself, -1 with its opposite, 0 with the zero vector, at any scale") {
  for (const float scale : {1.0f, 1e-38f, 1e30f}) {
    std::vector<float> x(77), opposite(77), zero(77);
    fill_normal(x.data(), x.size(), 11, scale);
    for (size_t i = 0; i < x.size(); ++i) opposite[i] = -x[i];
    CHECK_NEAR(kernels.cosine_f32(x.data(), x.data(), x.size()), 1, 1e-15);
    CHECK_NEAR(kernels.cosine_f32(x.data(), opposite.data(), x.size()), -1, 1e-15);
    CHECK_EQ(kernels.cosine_f32(x.data(), zero.data(), x.size()), 0.0);
    CHECK_EQ(kernels.cosine_f32(zero.data(), x.data(), x.size()), 0.0);
    CHECK_EQ(kernels.cosine_f32(zero.data(), zero.data(), x.size()), 0.0);
  }
}

static void normalize_both(const Table& kernels, const Table& scalar, const std::vector<float>& x,
                           std::vector<float>& result) {
  Guarded<float> out(x.size()), expected(x.size());
  for (size_t i = 0; i < x.size(); ++i) out[i] = expected[i] = x[i];
  kernels.l2_normalize_f32(out.data(), x.size());
  scalar.l2_normalize_f32(expected.data(), x.size());
  CHECK(out.intact());
  for (size_t i = 0; i < x.size(); ++i)
    if (!same(out[i], expected[i]))
      fail(__FILE__, __LINE__,
           "dims " + show(x.size()) + " at " + show(i) + ": " + show(out[i]) + " is not scalar's " +
               show(expected[i]));
  result.assign(out.data(), out.data() + x.size());
}

KERNEL_TEST("l2_normalize_f32 gives length 1 in one rounding, and the same bits as scalar") {
  for (const size_t dims : kSizes) {
    for (const float scale : {1.0f, 1e-10f, 1e30f}) {
      std::vector<float> x(dims), result;
      fill_normal(x.data(), dims, static_cast<uint32_t>(dims) + 2, scale);
      normalize_both(kernels, scalar, x, result);
      long double square = 0;
      for (const float value : x) square += static_cast<long double>(value) * value;
      for (size_t i = 0; i < dims; ++i) {
        const double expected = static_cast<double>(x[i] / std::sqrt(square));
        CHECK_NEAR(result[i], expected, std::fabs(expected) * kOneRounding + kSubnormalRounding);
      }
    }
  }
}

KERNEL_TEST("l2_normalize_f32 divides by 1e-12 at least, and leaves the zero vector alone") {
  std::vector<float> x(40, 1e-15f), result;
  normalize_both(kernels, scalar, x, result);
  for (const float value : result) CHECK_NEAR(value, 1e-3, 1e-3 * 1e-6);
  x.assign(40, 0.0f);
  x[3] = -0.0f;
  normalize_both(kernels, scalar, x, result);
  for (size_t i = 0; i < x.size(); ++i) CHECK(same(result[i], x[i]));
}

KERNEL_TEST("l2_normalize_f32 with NaN is NaN throughout, with an infinity 0 beside NaN, as torch has it") {
  std::vector<float> x(21, 2.0f), result;
  x[20] = kNan;
  normalize_both(kernels, scalar, x, result);
  for (const float value : result) CHECK(std::isnan(value));
  x[20] = kInf;
  normalize_both(kernels, scalar, x, result);
  for (size_t i = 0; i < 20; ++i) CHECK_EQ(result[i], 0.0f);
  CHECK(std::isnan(result[20]));
}

KERNEL_TEST("l2_normalize_f32 handles the largest and the smallest float32") {
  std::vector<float> x(384, kMax), result;
  normalize_both(kernels, scalar, x, result);
  for (const float value : result) CHECK_NEAR(value, 1 / std::sqrt(384.0), kOneRounding);
  x.assign(384, kDenormal);
  normalize_both(kernels, scalar, x, result);
  for (const float value : result) CHECK_NEAR(value, kDenormal * 1e12, kDenormal * 1e12 * kOneRounding);
}
