#include "kernels/matrix.hpp"

#include "kernels/kernel_case.hpp"

using namespace gteway::test;
namespace kernels = gteway::kernels;

TEST("kernels: similarity_matrix has the cosine of every pair, over blocks of rows too") {
  const size_t rows_a = 3, rows_b = 300, dims = 385;
  std::vector<float> a(rows_a * dims), b(rows_b * dims);
  fill_normal(a.data(), a.size(), 21);
  fill_normal(b.data(), b.size(), 22);
  for (size_t d = 0; d < dims; ++d) b[7 * dims + d] = 0;
  Guarded<float> out(rows_a * rows_b);
  kernels::similarity_matrix(a.data(), rows_a, b.data(), rows_b, dims, out.data());
  CHECK(out.intact());
  for (size_t i = 0; i < rows_a; ++i)
    for (size_t j = 0; j < rows_b; ++j)
      CHECK_EQ(out[i * rows_b + j],
               static_cast<float>(kernels::active().cosine_f32(&a[i * dims], &b[j * dims], dims)));
  CHECK_EQ(out[7], 0.0f);
}

TEST("kernels: similarity_matrix of no rows writes nothing") {
  const float x = 1;
  Guarded<float> out(0);
  kernels::similarity_matrix(&x, 0, &x, 1, 1, out.data());
  kernels::similarity_matrix(&x, 1, &x, 0, 1, out.data());
  CHECK(out.intact());
}

TEST("kernels: rows_to_bits begins each row with a byte of its own") {
  const std::vector<float> x = {1, -1, 1, 1, 1, 1, 1, 1, 1, -1,  //
                                0, 2,  0, 0, 0, 0, 0, 3, 0, 4};
  Guarded<uint8_t> out(4);
  kernels::rows_to_bits(x.data(), 2, 10, out.data());
  CHECK(out.intact());
  CHECK_EQ(int{out[0]}, 0b10111111);
  CHECK_EQ(int{out[1]}, 0b10000000);
  CHECK_EQ(int{out[2]}, 0b01000001);
  CHECK_EQ(int{out[3]}, 0b01000000);
}
