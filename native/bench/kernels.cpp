// Bytes per second of each kernel, for each instruction set this machine has, beside a memcpy of the same
// size.
//
//   cmake --build build --target gteway_kernel_bench && build/tests/gteway_kernel_bench [isa…]
//
// One thread. Bytes are those a kernel must read and write once; buffers are gte-small's: 128 tokens × 384
// dimensions for pooling and conversions (they fit a second-level cache), one row of 384 for what works on a
// row.
#include "kernels/kernels.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cpu/features.hpp"

namespace {

using gteway::kernels::Table;
using Clock = std::chrono::steady_clock;

constexpr size_t kRows = 128, kDims = 384, kCount = kRows * kDims;

struct Buffers {
  std::vector<float> x, y;
  std::vector<uint16_t> half;
  std::vector<uint8_t> bytes;
  std::vector<uint32_t> rows;  // of x, all of them, in another order
};

struct Case {
  const char* name;
  double bytes;  // read and written by one call
  std::function<void(const Table&, Buffers&)> call;
};

double sink;  // results of the kernels that return one, so that calls are not removed

const std::vector<Case> kCases = {
    {"memcpy", 8.0 * kCount,
     [](const Table&, Buffers& b) { std::memcpy(b.y.data(), b.x.data(), 4 * kCount); }},
    {"pool_mean_f32", 4.0 * kCount,
     [](const Table& t, Buffers& b) { t.pool_mean_f32(b.x.data(), kRows, kDims, kDims, b.y.data()); }},
    {"pool_rows_f32", 4.0 * kCount,
     [](const Table& t, Buffers& b) {
       t.pool_rows_f32(b.x.data(), b.rows.data(), nullptr, kRows, kDims, b.y.data());
     }},
    {"l2_normalize_f32", 8.0 * kDims,
     [](const Table& t, Buffers& b) { t.l2_normalize_f32(b.x.data(), kDims); }},
    {"dot_f32", 8.0 * kDims,
     [](const Table& t, Buffers& b) { sink += t.dot_f32(b.x.data(), b.y.data(), kDims); }},
    {"cosine_f32", 8.0 * kDims,
     [](const Table& t, Buffers& b) { sink += t.cosine_f32(b.x.data(), b.y.data(), kDims); }},
    {"f32_to_f16", 6.0 * kCount,
     [](const Table& t, Buffers& b) { t.f32_to_f16(b.x.data(), kCount, b.half.data()); }},
    {"f16_to_f32", 6.0 * kCount,
     [](const Table& t, Buffers& b) { t.f16_to_f32(b.half.data(), kCount, b.y.data()); }},
    {"f32_to_bf16", 6.0 * kCount,
     [](const Table& t, Buffers& b) { t.f32_to_bf16(b.x.data(), kCount, b.half.data()); }},
    {"bf16_to_f32", 6.0 * kCount,
     [](const Table& t, Buffers& b) { t.bf16_to_f32(b.half.data(), kCount, b.y.data()); }},
    {"f32_to_i8", 5.0 * kCount,
     [](const Table& t, Buffers& b) {
       t.f32_to_i8(b.x.data(), kCount, 127, reinterpret_cast<int8_t*>(b.bytes.data()));
     }},
    {"dot_i8", 2.0 * kDims,
     [](const Table& t, Buffers& b) {
       const auto* x = reinterpret_cast<const int8_t*>(b.bytes.data());
       sink += t.dot_i8(x, x + kDims, kDims);
     }},
    {"hamming_bits", 2.0 * kDims / 8,
     [](const Table& t, Buffers& b) {
       sink += t.hamming_bits(b.bytes.data(), b.bytes.data() + kDims / 8, kDims / 8);
     }},
    {"f32_to_bits", 4.125 * kCount,
     [](const Table& t, Buffers& b) { t.f32_to_bits(b.x.data(), kCount, b.bytes.data()); }},
};

double seconds(const Case& test, const Table& table, Buffers& buffers, size_t calls) {
  const auto start = Clock::now();
  for (size_t i = 0; i < calls; ++i) test.call(table, buffers);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Median of seven runs of about 20 ms each.
double gigabytes_per_second(const Case& test, const Table& table, Buffers& buffers) {
  size_t calls = 1;
  while (seconds(test, table, buffers, calls) < 0.01) calls *= 2;
  calls *= 2;
  std::vector<double> runs(7);
  for (double& run : runs) run = seconds(test, table, buffers, calls);
  std::nth_element(runs.begin(), runs.begin() + 3, runs.end());
  return test.bytes * static_cast<double>(calls) / runs[3] / 1e9;
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::string> isas(argv + 1, argv + argc);
  if (isas.empty())
    for (const auto& implementation : gteway::kernels::implementations())
      if (implementation.supported) isas.emplace_back(implementation.isa);
  std::vector<Table> tables;
  for (const std::string& isa : isas) tables.push_back(gteway::kernels::table_for(isa));

  Buffers buffers;
  for (size_t i = 0; i < kCount; ++i) buffers.x.push_back(static_cast<float>(i % 257) / 257 - 0.5f);
  buffers.y = buffers.x;
  buffers.half.assign(kCount, 0x3c00);
  buffers.bytes.resize(kCount);
  for (size_t r = 0; r < kRows; ++r) buffers.rows.push_back(static_cast<uint32_t>(r * 37 % kRows));

  std::printf("%s, GB/s on one thread\n%-18s", gteway::cpu::brand().c_str(), "");
  for (const std::string& isa : isas) std::printf("%10s", isa.c_str());
  std::printf("\n");
  for (const Case& test : kCases) {
    std::printf("%-18s", test.name);
    for (const Table& table : tables) std::printf("%10.2f", gigabytes_per_second(test, table, buffers));
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
} catch (const gteway::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
