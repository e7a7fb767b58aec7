// How fast this machine's matrix units are right now: what the encoder's rates are fractions of. Machines
// shared with others run them at two speeds that differ by four (loads hidden behind products, or one after
// the other), and change between them within seconds, so this is meant to run just before and after every
// sample.
//
//   cmake --build build/tests --target gteway_amx_rate && build/tests/gteway_amx_rate [--json] [--threads N]
//
// A loop of four tile loads from the first-level cache and four products, as the inner loop of a 2 × 2
// blocking has. Rates count 2 operations per multiplication and are sums over the threads. Exit status 77
// where there is no AMX.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "cpu/features.hpp"

namespace {

#if defined(__x86_64__)

using Clock = std::chrono::steady_clock;

// Palette 1, 16 rows of 64 bytes for each of the 8 tiles.
alignas(64) constexpr uint8_t kFullTiles[64] = {
    1,  0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 64, 0, 64, 0,  64, 0,  64, 0,  64, 0,
    64, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0, 0,  0, 16, 16, 16, 16, 16, 16, 16, 16};
constexpr size_t kOperandBytes = 4 * 1024;

#define LOADS                                  \
  "tileloadd (%[a],%[stride],1), %%tmm4\n"     \
  "tileloadd 1024(%[a],%[stride],1), %%tmm5\n" \
  "tileloadd 2048(%[a],%[stride],1), %%tmm6\n" \
  "tileloadd 3072(%[a],%[stride],1), %%tmm7\n"
#define PRODUCTS(name)                                                                                    \
  name " %%tmm6, %%tmm4, %%tmm0\n" name " %%tmm7, %%tmm4, %%tmm1\n" name " %%tmm6, %%tmm5, %%tmm2\n" name \
       " %%tmm7, %%tmm5, %%tmm3\n"
#define LOOP(body)                    \
  for (size_t i = 0; i < rounds; ++i) \
  __asm__ volatile(body ::[a] "r"(operands), [stride] "r"(int64_t{64}) : "memory")

enum class Work { bf16, int8, loads, bf16_products, int8_products };

// Nanoseconds of one round of the loop.
double sample(Work work, const uint8_t* operands, size_t rounds) {
  __asm__ volatile(
      "ldtilecfg %0\n tilezero %%tmm0\n tilezero %%tmm1\n tilezero %%tmm2\n tilezero %%tmm3\n" ::"m"(
          kFullTiles));
  __asm__ volatile(LOADS ::[a] "r"(operands), [stride] "r"(int64_t{64}) : "memory");
  const auto start = Clock::now();
  switch (work) {
    case Work::bf16:
      LOOP(LOADS PRODUCTS("tdpbf16ps"));
      break;
    case Work::int8:
      LOOP(LOADS PRODUCTS("tdpbssd"));
      break;
    case Work::loads:
      LOOP(LOADS);
      break;
    case Work::bf16_products:
      LOOP(PRODUCTS("tdpbf16ps"));
      break;
    case Work::int8_products:
      LOOP(PRODUCTS("tdpbssd"));
      break;
  }
  const double ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  __asm__ volatile("tilerelease");
  return ns / static_cast<double>(rounds);
}

struct Rate {
  double median = 0, least = 0, most = 0;  // ns of a round, over samples and threads
};

// The same on `threads` threads at once; each takes 21 samples of some 100 µs.
Rate measure(Work work, size_t threads) {
  constexpr size_t kSamples = 21, kRounds = 4000;
  std::vector<double> all(threads * kSamples);
  std::atomic<size_t> ready{0};
  const auto run = [&](size_t thread) {
    alignas(64) static thread_local uint8_t operands[kOperandBytes];
    for (size_t i = 0; i < kOperandBytes; i += 2) {
      operands[i] = static_cast<uint8_t>(i / 2 * 37);
      operands[i + 1] = 0x3f;  // bfloat16s between 0.5 and 2
    }
    ++ready;
    while (ready < threads) std::this_thread::yield();
    for (size_t s = 0; s < kSamples; ++s) all[thread * kSamples + s] = sample(work, operands, kRounds);
  };
  std::vector<std::thread> others;
  for (size_t t = 1; t < threads; ++t) others.emplace_back(run, t);
  run(0);
  for (std::thread& other : others) other.join();
  std::sort(all.begin(), all.end());
  return {all[all.size() / 2], all.front(), all.back()};
}

// Of one round: 4 products of 16 × 16 results and 32 (bf16) or 64 (int8) multiplications for each.
double operations(Work work) { return work == Work::bf16 ? 4 * 2 * 16 * 16 * 32 : 4 * 2 * 16 * 16 * 64; }

// Nanoseconds of one count of the time stamp counter.
double tsc_period() {
  const auto read = [] {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return uint64_t{high} << 32 | low;
  };
  const auto start = Clock::now();
  const uint64_t first = read();
  while (Clock::now() - start < std::chrono::milliseconds(5)) {
  }
  const uint64_t last = read();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() /
         static_cast<double>(last - first);
}

int print_rates(bool json, size_t threads) {
  const double period = tsc_period();
  // Seen on Sapphire Rapids: 59 counts of the time stamp counter for a round in the fast mode, about 220 in
  // the slow one. The bound between them is their geometric mean.
  constexpr double kBoundCycles = 114;
  if (json)
    std::printf("{\"amx\":true,\"cpu\":\"%s\",\"threads\":%zu", gteway::cpu::brand().c_str(), threads);
  else
    std::printf("%s, %zu thread%s\n", gteway::cpu::brand().c_str(), threads, threads == 1 ? "" : "s");
  for (const auto& [name, work, products] :
       {std::tuple{"bf16", Work::bf16, Work::bf16_products}, {"int8", Work::int8, Work::int8_products}}) {
    const Rate rate = measure(work, threads), bare = measure(products, threads),
               loads = measure(Work::loads, threads);
    const double tera = operations(work) / rate.median * static_cast<double>(threads) / 1000;
    const double best = operations(work) / rate.least * static_cast<double>(threads) / 1000;
    const double worst = operations(work) / rate.most * static_cast<double>(threads) / 1000;
    const double cycles = rate.median / period;
    const char* mode = cycles < kBoundCycles ? "fast" : "slow";
    if (json) {
      std::printf(
          ",\"%s\":{\"teraops\":%.4f,\"least\":%.4f,\"most\":%.4f,\"cycles\":%.1f,\"productCycles\":%.1f,"
          "\"loadCycles\":%.1f,\"mode\":\"%s\"}",
          name, tera, worst, best, cycles, bare.median / period, loads.median / period, mode);
    } else {
      std::printf(
          "%s  %6.3f TOP/s (%.3f to %.3f)  4 loads and 4 products: %.0f cycles, products alone %.0f, loads "
          "alone %.0f  "
          "%s mode\n",
          name, tera, worst, best, cycles, bare.median / period, loads.median / period, mode);
    }
  }
  if (json) std::printf("}\n");
  return 0;
}

#endif

int without(bool json, const char* reason) {
  if (json)
    std::printf("{\"amx\":false,\"cpu\":\"%s\",\"reason\":\"%s\"}\n", gteway::cpu::brand().c_str(), reason);
  else
    std::printf("%s\n", reason);
  return 77;
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  size_t threads = 1;
  for (int i = 1; i < argc; ++i) {
    const long number = i + 1 < argc ? std::strtol(argv[i + 1], nullptr, 10) : 0;
    if (std::strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (std::strcmp(argv[i], "--threads") == 0 && number >= 1 && number <= 1024) {
      threads = static_cast<size_t>(number);
      ++i;
    } else {
      std::fprintf(stderr,
                   "gteway_amx_rate: unknown argument %s; usage: gteway_amx_rate [--json] [--threads N]\n",
                   argv[i]);
      return 2;
    }
  }
#if defined(__x86_64__)
  const gteway::cpu::Features& has = gteway::cpu::features();
  if (!has.amx_bf16 || !has.amx_int8) return without(json, "this machine has no AMX");
  if (!gteway::cpu::request_amx()) return without(json, "the system does not let this process use AMX");
  return print_rates(json, threads);
#else
  (void)threads;
  return without(json, "this machine has no AMX");
#endif
}
