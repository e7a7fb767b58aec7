// How fast this machine multiplies and reads memory right now: what an engine's rates are fractions of. Meant
// to run just before and after every sample, since machines shared with others change their speed within
// seconds.
//
//   cmake --build build --target gteway_probe && build/tests/gteway_probe [--threads N]
//       [--milliseconds M] [kind…]
//
// One line of JSON: giga-operations per second (a multiplication and an addition are two) or gigabytes per
// second, summed over the threads, as the median of some hundred samples and as their best. Kinds this
// machine lacks are not in it. The loops have 16 independent accumulators and touch no memory.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cpu/features.hpp"
#include "cpu/topology.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using gteway::cpu::Features;

constexpr double kRepeats = 2000, kAccumulators = 16;

#if defined(__x86_64__)
#define EACH_ACCUMULATOR(op, operands)                                                                       \
  op operands "0\n" op operands "1\n" op operands "2\n" op operands "3\n" op operands "4\n" op operands      \
              "5\n" op operands "6\n" op operands "7\n" op operands "8\n" op operands "9\n" op operands      \
              "10\n" op operands "11\n" op operands "12\n" op operands "13\n" op operands "14\n" op operands \
              "15\n"
// Operands and accumulators are zeros, so that nothing overflows or becomes a slow subnormal.
#define WIDE_LOOP(name, op)                                                                                \
  __attribute__((target("avx512f"))) void name() {                                                         \
    __asm__ volatile(                                                                                      \
        "vpxord %%zmm30, %%zmm30, %%zmm30\nvpxord %%zmm31, %%zmm31, %%zmm31\n"                             \
        "mov $2000, %%ecx\n1:\n" EACH_ACCUMULATOR(                                                         \
            op, " %%zmm30, %%zmm31, %%zmm") "dec %%ecx\njnz 1b\nvzeroupper" ::                             \
            : "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
              "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm30", "xmm31");                     \
  }
WIDE_LOOP(avx512_fma_f32, "vfmadd231ps")
WIDE_LOOP(avx512_bf16, "vdpbf16ps")
WIDE_LOOP(avx512_vnni, "vpdpbusd")

// 14 of the 16 registers accumulate.
#define NARROW_LOOP(name, op)                                                                               \
  __attribute__((target("avx2,fma"))) void name() {                                                         \
    __asm__ volatile(                                                                                       \
        "vpxor %%ymm14, %%ymm14, %%ymm14\nvpxor %%ymm15, %%ymm15, %%ymm15\nmov $2000, %%ecx\n1:\n" op       \
        "0\n" op "1\n" op "2\n" op "3\n" op "4\n" op "5\n" op "6\n" op "7\n" op "8\n" op "9\n" op "10\n" op \
        "11\n" op "12\n" op                                                                                 \
        "13\n"                                                                                              \
        "dec %%ecx\njnz 1b\nvzeroupper" ::                                                                  \
            : "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",  \
              "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");                                        \
  }
NARROW_LOOP(avx2_fma_f32, "vfmadd231ps %%ymm14, %%ymm15, %%ymm")
// The prefix chooses the encoding that processors without AVX-512 have.
NARROW_LOOP(avx_vnni, "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm")
#endif

#if defined(__x86_64__)
// Palette 1, 16 rows of 64 bytes for each of the 8 tiles.
alignas(64) constexpr uint8_t kFullTiles[64] = {
    1,  0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 64, 0, 64, 0,  64, 0,  64, 0,  64, 0,
    64, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0, 0,  0, 16, 16, 16, 16, 16, 16, 16, 16};
constexpr size_t kTileOperandBytes = 4 * 1024;

struct TileOperands {
  TileOperands() {
    for (size_t i = 0; i < kTileOperandBytes; i += 2) {
      bytes[i] = static_cast<uint8_t>(i / 2 * 37);
      bytes[i + 1] = 0x3f;  // bfloat16s between 0.5 and 2
    }
  }
  alignas(64) uint8_t bytes[kTileOperandBytes];
};

#define TILE_LOADS                             \
  "tileloadd (%[a],%[stride],1), %%tmm4\n"     \
  "tileloadd 1024(%[a],%[stride],1), %%tmm5\n" \
  "tileloadd 2048(%[a],%[stride],1), %%tmm6\n" \
  "tileloadd 3072(%[a],%[stride],1), %%tmm7\n"
#define TILE_PRODUCTS(name)                                                                               \
  name " %%tmm6, %%tmm4, %%tmm0\n" name " %%tmm7, %%tmm4, %%tmm1\n" name " %%tmm6, %%tmm5, %%tmm2\n" name \
       " %%tmm7, %%tmm5, %%tmm3\n"
#define TILE_LOOP(name, body)                                                                           \
  void name() {                                                                                         \
    static thread_local const TileOperands operands;                                                    \
    __asm__ volatile(                                                                                   \
        "ldtilecfg %0\n tilezero %%tmm0\n tilezero %%tmm1\n tilezero %%tmm2\n tilezero %%tmm3\n" ::"m"( \
            kFullTiles));                                                                               \
    __asm__ volatile(TILE_LOADS ::[a] "r"(operands.bytes), [stride] "r"(int64_t{64}) : "memory");       \
    for (int i = 0; i < static_cast<int>(kRepeats); ++i)                                                \
      __asm__ volatile(body ::[a] "r"(operands.bytes), [stride] "r"(int64_t{64}) : "memory");           \
    __asm__ volatile("tilerelease");                                                                    \
  }
TILE_LOOP(amx_bf16, TILE_LOADS TILE_PRODUCTS("tdpbf16ps"))
TILE_LOOP(amx_int8, TILE_LOADS TILE_PRODUCTS("tdpbssd"))
TILE_LOOP(amx_loads, TILE_LOADS)
TILE_LOOP(amx_bf16_products, TILE_PRODUCTS("tdpbf16ps"))
TILE_LOOP(amx_int8_products, TILE_PRODUCTS("tdpbssd"))

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
#endif

struct Loop {
  const char* kind;
  bool available;
  void (*run)();
  double operations;  // of one call
  bool is_amx = false;
};

std::vector<Loop> loops() {
#if defined(__x86_64__)
  const Features& has = gteway::cpu::features();
  const bool amx = has.amx_tile && has.amx_bf16 && has.amx_int8 && gteway::cpu::request_amx();
  // 4 products of 16 × 16 results and 32 (bf16) or 64 (int8) multiplications for each.
  constexpr double kBf16 = kRepeats * 4 * 2 * 16 * 16 * 32, kInt8 = 2 * kBf16;
  return {
      {"avx512_fma_f32", has.avx512f, avx512_fma_f32, kRepeats * kAccumulators * 16 * 2},
      {"avx512_bf16", has.avx512f && has.avx512_bf16, avx512_bf16, kRepeats * kAccumulators * 32 * 2},
      {"avx512_vnni", has.avx512f && has.avx512_vnni, avx512_vnni, kRepeats * kAccumulators * 64 * 2},
      {"avx2_fma_f32", has.avx2 && has.fma, avx2_fma_f32, kRepeats * 14 * 8 * 2},
      {"avx_vnni", has.avx_vnni, avx_vnni, kRepeats * 14 * 32 * 2},
      {"amx_bf16", amx, amx_bf16, kBf16, true},
      {"amx_int8", amx, amx_int8, kInt8, true},
      {"amx_loads", amx, amx_loads, kRepeats * kTileOperandBytes, true},
      {"amx_bf16_products", amx, amx_bf16_products, kBf16, true},
      {"amx_int8_products", amx, amx_int8_products, kInt8, true},
  };
#else
  return {};
#endif
}

// 64 bytes of each cache line, in order, as weights are read; returns something that depends on all of them.
uint64_t read_all(const uint64_t* words, size_t count) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8)
    for (size_t lane = 0; lane < 8; ++lane) sums[lane] += words[i + lane];
  return sums[0] ^ sums[1] ^ sums[2] ^ sums[3] ^ sums[4] ^ sums[5] ^ sums[6] ^ sums[7];
}

struct Rate {
  double median = 0, best = 0;
};

// The rates, in units of 10^9 per second, of `work(thread)` on all threads at once, summed. `amount` is what
// one call does. Each thread samples for `milliseconds`, and five times at least.
template <class Work>
Rate measure(size_t threads, double milliseconds, double amount, Work work) {
  std::vector<std::vector<double>> samples(threads);
  std::atomic<size_t> ready{0};
  const auto run = [&](size_t thread) {
    work(thread);
    ++ready;
    while (ready < threads) std::this_thread::yield();
    const auto end = Clock::now() + std::chrono::duration<double, std::milli>(milliseconds);
    for (auto start = Clock::now(); start < end || samples[thread].size() < 5;) {
      work(thread);
      const auto stop = Clock::now();
      samples[thread].push_back(amount / std::chrono::duration<double, std::nano>(stop - start).count());
      start = stop;
    }
  };
  std::vector<std::thread> others;
  for (size_t t = 1; t < threads; ++t) others.emplace_back(run, t);
  run(0);
  for (std::thread& other : others) other.join();
  Rate sum;
  for (std::vector<double>& rates : samples) {
    std::sort(rates.begin(), rates.end());
    sum.median += rates[rates.size() / 2];
    sum.best += rates.back();
  }
  return sum;
}

// `bytes` for all threads together, each reading its part over and over.
Rate measure_reading(size_t threads, double milliseconds, size_t bytes) {
  const size_t words = bytes / 8 / threads / 8 * 8;
  std::vector<std::unique_ptr<uint64_t[]>> parts(threads);
  for (auto& part : parts) part.reset(new uint64_t[words]);
  std::atomic<uint64_t> sink{0};
  std::vector<char> written(threads, 0);
  return measure(threads, milliseconds, static_cast<double>(words * 8), [&](size_t thread) {
    if (!written[thread]) {
      // Untouched pages are all one page of zeros, which a cache would hold.
      std::fill_n(parts[thread].get(), words, 0x0101010101010101u * (thread + 1));
      written[thread] = 1;
    }
    sink ^= read_all(parts[thread].get(), words);
  });
}

void print(const char* kind, const char* unit, Rate rate, const char* rest = "") {
  std::printf(",\"%s\":{\"%s\":%.3f,\"best\":%.3f%s}", kind, unit, rate.median, rate.best, rest);
}

void print(const Loop& loop, Rate rate, [[maybe_unused]] size_t threads) {
  if (!loop.is_amx) return print(loop.kind, "gops", rate);
#if defined(__x86_64__)
  static const double period = tsc_period();
  const double cycles =
      loop.operations / kRepeats * static_cast<double>(threads) / std::max(rate.median, 1e-9) / period;
  // Seen on Sapphire Rapids: 59 counts of the time stamp counter for a round in the fast mode, about 220 in
  // the slow one. The bound between them is their geometric mean.
  const char* const mode = cycles < 114 ? "fast" : "slow";
  char rest[64];
  std::snprintf(rest, sizeof rest, ",\"cycles\":%.1f,\"mode\":\"%s\"", cycles, mode);
  const std::string kind = loop.kind;
  if (kind != "amx_bf16" && kind != "amx_int8") std::snprintf(rest, sizeof rest, ",\"cycles\":%.1f", cycles);
  print(loop.kind, kind == "amx_loads" ? "gbps" : "gops", rate, rest);
#endif
}

int misused(const char* argument) {
  std::fprintf(stderr,
               "gteway_probe: unknown argument %s; usage: gteway_probe [--threads N] [--milliseconds M] "
               "[kind…], kinds: memory_read l3_read",
               argument);
  for (const Loop& loop : loops()) std::fprintf(stderr, " %s", loop.kind);
  std::fprintf(stderr, "\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  size_t threads = 1;
  double milliseconds = 20;
  std::vector<std::string> kinds;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const double number = i + 1 < argc ? std::strtod(argv[i + 1], nullptr) : 0;
    if (argument == "--threads" && number >= 1 && number <= 1024) {
      threads = static_cast<size_t>(number);
      ++i;
    } else if (argument == "--milliseconds" && number > 0 && number <= 60'000) {
      milliseconds = number;
      ++i;
    } else if (argument.rfind('-', 0) == 0) {
      return misused(argv[i]);
    } else {
      kinds.push_back(argument);
    }
  }
  const std::vector<Loop> all = loops();
  for (const std::string& kind : kinds) {
    const auto named = [&](const Loop& loop) { return kind == loop.kind; };
    // A kind of another processor is not in the answer; a kind of none is a slip.
    constexpr const char* kElsewhere[] = {"avx512_fma_f32", "avx512_bf16",       "avx512_vnni",
                                          "avx2_fma_f32",   "avx_vnni",          "memory_read",
                                          "l3_read",        "amx_bf16",          "amx_int8",
                                          "amx_loads",      "amx_bf16_products", "amx_int8_products"};
    if (std::none_of(all.begin(), all.end(), named) &&
        std::none_of(std::begin(kElsewhere), std::end(kElsewhere), [&](const char* k) { return kind == k; }))
      return misused(kind.c_str());
  }
  const auto wanted = [&](const char* kind) {
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  };

  std::printf("{\"cpu\":\"%s\",\"threads\":%zu", gteway::cpu::brand().c_str(), threads);
  for (const Loop& loop : all)
    if (loop.available && wanted(loop.kind))
      print(loop, measure(threads, milliseconds, loop.operations, [&](size_t) { loop.run(); }), threads);
  const size_t l3 = gteway::cpu::cache_sizes().l3;
  // Four times the last-level cache, and what it surely does not hold where its size is unknown.
  if (wanted("memory_read"))
    print("memory_read", "gbps",
          measure_reading(threads, milliseconds, std::clamp<size_t>(4 * l3, 128 << 20, 1024 << 20)));
  if (wanted("l3_read") && l3 > 0) print("l3_read", "gbps", measure_reading(threads, milliseconds, l3 / 2));
  std::printf("}\n");
  return 0;
}
