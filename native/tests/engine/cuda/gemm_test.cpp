#include "engine/cuda/device/gemm.cuh"

#include <numeric>

#include "engine/cuda/device_case.hpp"

namespace gteway::cuda::test {
namespace {

struct Problem {
  uint32_t rows, columns, depth;
};

BatchHeader rows_only(uint32_t rows) {
  BatchHeader header = {};
  header.tokens = rows;
  return header;
}

double gelu(double y, Epilogue epilogue) {
  if (epilogue == Epilogue::kGeluErf) return 0.5 * y * (1 + std::erf(y / std::sqrt(2.0)));
  if (epilogue == Epilogue::kGeluTanh)
    return 0.5 * y * (1 + std::tanh(std::sqrt(2 / M_PI) * (y + 0.044715 * y * y * y)));
  return y;
}

template <class T>
struct Operands {
  Problem problem;
  std::vector<uint16_t> x, weight;
  std::vector<float> bias, sum, gamma, beta;
  std::vector<float2> statistics;

  Operands(Problem p, uint32_t seed) : problem(p) {
    Random random(seed);
    x = random.rounded_normals<T>(p.rows * p.depth);
    weight = random.rounded_normals<T>(p.columns * p.depth, 1.0F / std::sqrt(static_cast<float>(p.depth)));
    bias = random.normals(p.columns, 0.5F);
    sum = random.normals(p.rows * p.columns);
    gamma = random.normals(p.columns, 0.2F, 1);
    beta = random.normals(p.columns, 0.2F);
    statistics.resize(p.rows);
    for (float2& s : statistics) s = make_float2(random.normal(0.3F), 1 + std::fabs(random.normal()));
  }

  double expected(uint32_t row, uint32_t column, Epilogue epilogue) const {
    double y = bias[column];
    for (uint32_t k = 0; k < problem.depth; ++k)
      y += static_cast<double>(widen(T{x[row * problem.depth + k]})) *
           widen(T{weight[column * problem.depth + k]});
    if (epilogue != Epilogue::kResidual) return gelu(y, epilogue);
    const double before = sum[row * problem.columns + column];
    return y + (before - statistics[row].x) * statistics[row].y * gamma[column] + beta[column];
  }
};

template <class T, class Tile, Epilogue kEpilogue>
std::vector<float> run(const Operands<T>& o) {
  const Problem p = o.problem;
  const DeviceArray<BatchHeader> header(std::vector<BatchHeader>{rows_only(p.rows)});
  const DeviceArray<uint16_t> x(o.x), weight(o.weight), out(size_t{p.rows} * p.columns);
  const DeviceArray<float> bias(o.bias), sum(o.sum), gamma(o.gamma), beta(o.beta);
  const DeviceArray<float2> statistics(o.statistics);
  const GemmArguments arguments = {header.data(),     x.data(),     weight.data(), bias.data(),
                                   p.columns,         p.depth,      out.data(),    sum.data(),
                                   statistics.data(), gamma.data(), beta.data()};
  const TestStream stream;
  const auto kernel = &gemm<T, Tile, kEpilogue>;
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Tile::kSharedBytes),
             "shared memory");
  // Twice the blocks that are needed: those past the rows have nothing to do.
  check_cuda(launch(kernel, 2 * gemm_blocks(p.rows, p.columns, Tile::kRows, Tile::kColumns), Tile::kThreads,
                    Tile::kSharedBytes, stream, arguments),
             "launch");
  stream.finish();
  if constexpr (kEpilogue == Epilogue::kResidual) return sum.get();
  std::vector<float> values;
  for (const uint16_t bits : out.get()) values.push_back(widen(T{bits}));
  return values;
}

template <class T, class Tile, Epilogue kEpilogue>
void check(Problem problem, uint32_t seed) {
  need_device();
  const Operands<T> operands(problem, seed);
  in_every_schedule([&] {
    const std::vector<float> got = run<T, Tile, kEpilogue>(operands);
    double worst = 0;
    for (uint32_t row = 0; row < problem.rows; ++row)
      for (uint32_t column = 0; column < problem.columns; ++column) {
        const double expected = operands.expected(row, column, kEpilogue);
        const double rounding =
            kEpilogue == Epilogue::kResidual ? 0 : unit_roundoff<T>() * std::fabs(expected);
        const double error = std::fabs(got[row * problem.columns + column] - expected);
        worst = std::isnan(error) ? INFINITY : std::max(worst, error - rounding);
      }
    CHECK_NEAR(worst, 0, 2e-5);  // float32 sums of 1 to 2 in size
  });
}

}  // namespace

TEST("cuda gemm: large tile, plain, bf16, rows that do not fill a tile") {
  check<Bf16, LargeTile, Epilogue::kPlain>({150, 128, 192}, 1);
}
TEST("cuda gemm: large tile, GELU (erf), fp16, two tiles across") {
  check<Fp16, LargeTile, Epilogue::kGeluErf>({70, 256, 64}, 2);
}
TEST("cuda gemm: large tile, residual, bf16") {
  check<Bf16, LargeTile, Epilogue::kResidual>({130, 128, 384}, 3);
}
TEST("cuda gemm: small tile, residual, fp16, one row") {
  check<Fp16, SmallTile, Epilogue::kResidual>({1, 128, 128}, 4);
}
TEST("cuda gemm: small tile, GELU (tanh), bf16") {
  check<Bf16, SmallTile, Epilogue::kGeluTanh>({33, 64, 384}, 5);
}
TEST("cuda gemm: small tile, plain, fp16") { check<Fp16, SmallTile, Epilogue::kPlain>({40, 192, 128}, 6); }

TEST("cuda gemm: the tile and the other rows do not change a row, to the last bit") {
  need_device();
  const Operands<Bf16> many({150, 128, 384}, 7);
  Operands<Bf16> few = many;
  few.problem.rows = 37;
  const auto compare = [&](const std::vector<float>& a, const std::vector<float>& b) {
    for (size_t i = 0; i < 37 * 128; ++i)
      if (!(a[i] == b[i])) return false;
    return true;
  };
  CHECK(compare(run<Bf16, LargeTile, Epilogue::kResidual>(many),
                run<Bf16, SmallTile, Epilogue::kResidual>(few)));
  CHECK(
      compare(run<Bf16, LargeTile, Epilogue::kGeluErf>(many), run<Bf16, SmallTile, Epilogue::kGeluErf>(few)));
}

}  // namespace gteway::cuda::test
