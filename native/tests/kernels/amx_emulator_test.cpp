// The emulator against the manual, and, on machines with AMX, against the processor.
#include "kernels/amx_emulator.hpp"

#if defined(GTEWAY_AMX_EMULATOR)

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "test.hpp"

using namespace gteway::test;
using amx::Configuration;
using amx::Emulator;

namespace {

// Assembly and no intrinsics: this file is compiled without AMX, and the operands' forms are part of what is
// tested.
void load_config(const Configuration& config) { __asm__ volatile("ldtilecfg %0" ::"m"(config)); }
void store_config(Configuration& config) { __asm__ volatile("sttilecfg %0" : "=m"(config)); }
void release() { __asm__ volatile("tilerelease"); }

#define TILE_LOAD(tile, base, stride) \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(base), "r"(ptrdiff_t{stride}) : "memory")
#define TILE_STORE(tile, base, stride) \
  __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(base), "r"(ptrdiff_t{stride}) : "memory")
#define TILE_ZERO(tile) __asm__ volatile("tilezero %tmm" #tile)
// c += a b; AT&T order is b, a, c.
#define PRODUCT(name, c, a, b) __asm__ volatile(#name " %tmm" #b ", %tmm" #a ", %tmm" #c)

Configuration full_tiles() {
  Configuration config{};
  config.palette = 1;
  for (size_t t = 0; t < amx::kTiles; ++t) {
    config.rows[t] = 16;
    config.row_bytes[t] = 64;
  }
  return config;
}

// tmm0: c, rows × columns; tmm1: a, rows × depth dwords; tmm2: b.
Configuration product_shape(size_t rows, size_t depth, size_t columns) {
  Configuration config{};
  config.palette = 1;
  config.rows[0] = config.rows[1] = static_cast<uint8_t>(rows);
  config.rows[2] = static_cast<uint8_t>(depth);
  config.row_bytes[0] = config.row_bytes[2] = static_cast<uint16_t>(4 * columns);
  config.row_bytes[1] = static_cast<uint16_t>(4 * depth);
  return config;
}

using Dwords = std::vector<uint32_t>;

float as_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
uint32_t as_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
uint32_t bf16_pair(float even, float odd) { return as_bits(even) >> 16 | (as_bits(odd) & 0xffff0000); }

enum class Product { bf16, ssd, sud, usd, uud };

// c (rows × columns dwords) += a (rows × depth) b (depth × columns), by the tile instructions.
void multiply(Product product, size_t rows, size_t depth, size_t columns, Dwords& c, const Dwords& a,
              const Dwords& b) {
  const Configuration shape = product_shape(rows, depth, columns);
  load_config(shape);
  const auto wide = static_cast<ptrdiff_t>(4 * columns), deep = static_cast<ptrdiff_t>(4 * depth);
  TILE_LOAD(0, c.data(), wide);
  TILE_LOAD(1, a.data(), deep);
  TILE_LOAD(2, b.data(), wide);
  switch (product) {
    case Product::bf16:
      PRODUCT(tdpbf16ps, 0, 1, 2);
      break;
    case Product::ssd:
      PRODUCT(tdpbssd, 0, 1, 2);
      break;
    case Product::sud:
      PRODUCT(tdpbsud, 0, 1, 2);
      break;
    case Product::usd:
      PRODUCT(tdpbusd, 0, 1, 2);
      break;
    case Product::uud:
      PRODUCT(tdpbuud, 0, 1, 2);
      break;
  }
  TILE_STORE(0, c.data(), wide);
  release();
}

// The same in plain arithmetic, written from the manual's description and apart from the emulator. Subnormals
// are replaced by hand.
float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0F, x) : x; }

uint32_t expected_bf16(uint32_t c, const uint32_t* a, size_t depth, const uint32_t* b, size_t b_stride) {
  float even = 0, odd = 0;
  for (size_t k = 0; k < depth; ++k) {
    const uint32_t x = a[k], y = b[k * b_stride];
    even = flushed(std::fmaf(flushed(as_float(x << 16)), flushed(as_float(y << 16)), even));
    odd = flushed(std::fmaf(flushed(as_float(x & 0xffff0000)), flushed(as_float(y & 0xffff0000)), odd));
  }
  return as_bits(flushed(flushed(as_float(c)) + flushed(even + odd)));
}

uint32_t expected_i8(uint32_t c, const uint32_t* a, size_t depth, const uint32_t* b, size_t b_stride,
                     bool a_signed, bool b_signed) {
  const auto byte = [](uint32_t word, size_t i, bool is_signed) {
    const int value = static_cast<int>(word >> (8 * i) & 0xff);
    return is_signed && value > 127 ? value - 256 : value;
  };
  int64_t sum = 0;
  for (size_t k = 0; k < depth; ++k)
    for (size_t i = 0; i < 4; ++i) sum += byte(a[k], i, a_signed) * byte(b[k * b_stride], i, b_signed);
  return static_cast<uint32_t>(c + static_cast<uint64_t>(sum));
}

struct Shape {
  size_t rows, depth, columns;
};
const std::vector<Shape> kShapes = {{16, 16, 16}, {1, 1, 1},    {5, 16, 16}, {16, 3, 16},
                                    {16, 16, 7},  {15, 15, 15}, {1, 16, 16}, {16, 1, 1}};

void check_products() {
  std::mt19937 random(7);
  for (const auto& [rows, depth, columns] : kShapes) {
    for (int round = 0; round < 8; ++round) {
      for (const Product product : {Product::bf16, Product::ssd, Product::sud, Product::usd, Product::uud}) {
        Dwords a(rows * depth), b(depth * columns), c(rows * columns);
        // bfloat16: normal values; in later rounds any bits, with infinities, NaN and subnormals among them.
        std::normal_distribution<float> normal;
        const bool any = product != Product::bf16 || round >= 4;
        for (Dwords* matrix : {&a, &b})
          for (uint32_t& word : *matrix)
            word = any ? static_cast<uint32_t>(random()) : bf16_pair(normal(random), normal(random));
        for (uint32_t& word : c) word = any ? static_cast<uint32_t>(random()) : as_bits(normal(random));
        Dwords result = c;
        multiply(product, rows, depth, columns, result, a, b);
        for (size_t m = 0; m < rows; ++m) {
          for (size_t n = 0; n < columns; ++n) {
            const uint32_t got = result[m * columns + n];
            const uint32_t start = c[m * columns + n];
            if (product == Product::bf16) {
              const uint32_t expected = expected_bf16(start, &a[m * depth], depth, &b[n], columns);
              const bool both_nan = std::isnan(as_float(got)) && std::isnan(as_float(expected));
              if (!both_nan) CHECK_EQ(got, expected);
            } else {
              const bool a_signed = product == Product::ssd || product == Product::sud;
              const bool b_signed = product == Product::ssd || product == Product::usd;
              CHECK_EQ(got, expected_i8(start, &a[m * depth], depth, &b[n], columns, a_signed, b_signed));
            }
          }
        }
      }
    }
  }
}

void check_order_of_sums() {
  // 2^24 + 1 + 1 is 2^24 when the ones come one by one (each is half a unit in the last place), and 2^24 + 2
  // when they come as a pair.
  Dwords c = {as_bits(16777216)};
  multiply(Product::bf16, 1, 1, 1, c, {bf16_pair(1, 1)}, {bf16_pair(1, 1)});
  CHECK_EQ(as_float(c[0]), 16777218.0F);
  // A chain of even elements: 2^24 and eight ones vanish one by one, although c alone would have kept their
  // sum.
  Dwords a(9, bf16_pair(1, 0)), b(9, bf16_pair(1, 0));
  b[0] = bf16_pair(16777216, 0);
  c = {as_bits(1)};
  multiply(Product::bf16, 1, 9, 1, c, a, b);
  CHECK_EQ(as_float(c[0]), 16777216.0F);
}

void check_subnormals() {
  const float tiny = as_float(0x00400000);  // 2^-127: subnormal, and a bfloat16
  Dwords c = {0};
  multiply(Product::bf16, 1, 1, 1, c, {bf16_pair(tiny, 0)}, {bf16_pair(1, 0)});
  CHECK_EQ(c[0], 0u);  // an operand
  c = {as_bits(tiny)};
  multiply(Product::bf16, 1, 1, 1, c, {bf16_pair(1, 0)}, {bf16_pair(0, 0)});
  CHECK_EQ(c[0], 0u);  // the sum
  const float small = std::ldexp(1.0F, -70);
  c = {0};
  multiply(Product::bf16, 1, 1, 1, c, {bf16_pair(small, 0)}, {bf16_pair(small, 0)});
  CHECK_EQ(c[0], 0u);  // a result: 2^-140
}

// Runs `body` where tile instructions are emulated and, on machines that have them, on the processor.
bool add_both(const std::string& name, void (*body)()) {
  add("amx: " + name + " [emulated]", [body] {
    if (const char* reason = amx::unavailable()) SKIP(reason);
    const Emulator emulator;
    body();
    CHECK(!Emulator::registers().configured());
  });
  add("amx: " + name + " [hardware]", [body] {
    if (!amx::hardware()) SKIP("this machine has no AMX");
    body();
  });
  return true;
}

[[maybe_unused]] const bool kAdded = [] {
  add_both("products of every shape are those of the manual", check_products);
  add_both("even and odd elements are summed apart, then together, then into the tile", check_order_of_sums);
  add_both("subnormals are zero as operands, sums and results", check_subnormals);
  add_both("loads and stores take strides, negative and zero ones too, and write only their rows", [] {
    std::vector<uint8_t> memory(4096);
    for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<uint8_t>(i * 37 + i / 256);
    Configuration config = full_tiles();
    config.rows[3] = 5;
    config.row_bytes[3] = 7;
    load_config(config);
    std::vector<uint8_t> out(4096, 0xa5);
    TILE_LOAD(3, memory.data() + 2000, -100);
    TILE_STORE(3, out.data() + 64, 32);
    for (size_t i = 0; i < out.size(); ++i) {
      const bool inside = i >= 64 && (i - 64) / 32 < 5 && (i - 64) % 32 < 7;
      CHECK_EQ(out[i], inside ? memory[2000 - (i - 64) / 32 * 100 + (i - 64) % 32] : uint8_t{0xa5});
    }
    TILE_LOAD(4, memory.data() + 11, 0);
    TILE_STORE(4, out.data(), 64);
    for (size_t i = 0; i < 1024; ++i) CHECK_EQ(out[i], memory[11 + i % 64]);
    TILE_ZERO(4);
    TILE_STORE(4, out.data(), 64);
    for (size_t i = 0; i < 1024; ++i) CHECK_EQ(out[i], uint8_t{0});
    release();
  });
  add_both("every form of address reaches its memory", [] {
    std::vector<uint8_t> memory(65536), out(1024);
    for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<uint8_t>(i * 7 + i / 256);
    const Configuration config = full_tiles();
    load_config(config);
    const uint8_t* from = memory.data() + 1000;
    const auto check = [&](size_t offset, size_t stride) {
      TILE_STORE(7, out.data(), 64);
      for (size_t i = 0; i < 1024; ++i) CHECK_EQ(out[i], from[offset + i / 64 * stride + i % 64]);
      TILE_ZERO(7);
    };
    __asm__ volatile("mov %0, %%r12\n mov $96, %%r13\n tileloadd (%%r12,%%r13,4), %%tmm7" ::"r"(from)
                     : "r12", "r13", "memory");
    check(0, 384);
    __asm__ volatile("mov %0, %%r13\n mov $96, %%r14\n tileloadd (%%r13,%%r14,2), %%tmm7" ::"r"(from)
                     : "r13", "r14", "memory");
    check(0, 192);
    __asm__ volatile("mov %0, %%rax\n mov $80, %%rcx\n tileloadd -100(%%rax,%%rcx,8), %%tmm7" ::"r"(from)
                     : "rax", "rcx", "memory");
    check(static_cast<size_t>(-100), 640);
    __asm__ volatile("mov %0, %%r8\n mov $80, %%r9\n tileloadd 5000(%%r8,%%r9,1), %%tmm7" ::"r"(from)
                     : "r8", "r9", "memory");
    check(5000, 80);
    __asm__ volatile("mov %0, %%rdx\n mov $80, %%rsi\n tileloaddt1 (%%rdx,%%rsi), %%tmm7" ::"r"(from)
                     : "rdx", "rsi", "memory");
    check(0, 80);
    release();
  });
  add_both("the configuration can be read back, and is zeros when there is none", [] {
    const Configuration config = product_shape(5, 9, 13), nothing{};
    Configuration read;
    load_config(config);
    store_config(read);
    CHECK(std::memcmp(&read, &config, sizeof read) == 0);
    release();
    store_config(read);
    CHECK(std::memcmp(&read, &nothing, sizeof read) == 0);
  });
  return true;
}();

// The fault `body` ends with after full tiles were configured.
std::string fault(void (*body)()) {
  return Emulator::fault_of([body] {
           const Configuration config = full_tiles();
           load_config(config);
           body();
         })
      .value_or("none");
}

std::string fault_of_config(void (*change)(Configuration&)) {
  return Emulator::fault_of([change] {
           Configuration config = full_tiles();
           change(config);
           load_config(config);
         })
      .value_or("none");
}

std::string fault_of_shape(void (*change)(Configuration&)) {
  return Emulator::fault_of([change] {
           Configuration config = product_shape(16, 16, 16);
           change(config);
           load_config(config);
           PRODUCT(tdpbf16ps, 0, 1, 2);
         })
      .value_or("none");
}

alignas(64) uint8_t a_tile[1024];

}  // namespace

TEST("amx: the emulator faults where a processor does") {
  if (const char* reason = amx::unavailable()) SKIP(reason);
  const Emulator emulator;
  CHECK_EQ(fault([] { TILE_LOAD(0, a_tile, 64); }), "none");
  CHECK_EQ(Emulator::fault_of([] { TILE_LOAD(0, a_tile, 64); }).value_or("none"), "tiles are not configured");
  CHECK_EQ(Emulator::fault_of([] { TILE_ZERO(0); }).value_or("none"), "tiles are not configured");
  CHECK_EQ(fault([] {
             release();
             TILE_STORE(0, a_tile, 64);
           }),
           "tiles are not configured");
  // tdpbf16ps tmm0, tmm1, tmm1 and tdpbssd tmm1, tmm1, tmm2: assemblers refuse to write them.
  CHECK_EQ(fault([] { __asm__ volatile(".byte 0xc4, 0xe2, 0x72, 0x5c, 0xc1"); }),
           "product: a tile is named twice");
  CHECK_EQ(fault([] { __asm__ volatile(".byte 0xc4, 0xe2, 0x6b, 0x5e, 0xc9"); }),
           "product: a tile is named twice");
  CHECK_EQ(fault([] { __asm__ volatile("ud2"); }), "an illegal instruction that is no AMX");

  CHECK_EQ(fault_of_config([](Configuration& c) { c.palette = 2; }), "ldtilecfg: palette above 1");
  CHECK_EQ(fault_of_config([](Configuration& c) { c.rows[7] = 17; }), "ldtilecfg: more than 16 rows");
  CHECK_EQ(fault_of_config([](Configuration& c) { c.row_bytes[7] = 68; }),
           "ldtilecfg: more than 64 bytes a row");
  CHECK_EQ(fault_of_config([](Configuration& c) { c.rows[0] = 0; }),
           "ldtilecfg: rows without columns, or columns without rows");
  CHECK_EQ(fault_of_config([](Configuration& c) { c.reserved_a[13] = 1; }),
           "ldtilecfg: bytes 2 to 15 are not zero");
  CHECK_EQ(fault_of_config([](Configuration& c) { c.reserved_b[0] = 1; }),
           "ldtilecfg: bytes 32 to 47 are not zero");
  CHECK_EQ(fault_of_config([](Configuration& c) { c.reserved_c[7] = 1; }),
           "ldtilecfg: bytes 56 to 63 are not zero");
  CHECK_EQ(fault_of_config([](Configuration& c) { c = {}; }), "none");  // palette 0 releases

  CHECK_EQ(fault_of_shape([](Configuration&) {}), "none");
  CHECK_EQ(fault_of_shape([](Configuration& c) { c.rows[0] = 15; }), "product: rows of c and a differ");
  CHECK_EQ(fault_of_shape([](Configuration& c) { c.rows[2] = 15; }),
           "product: columns of a and rows of b differ");
  CHECK_EQ(fault_of_shape([](Configuration& c) { c.row_bytes[0] = 60; }),
           "product: columns of c and b differ");
  CHECK_EQ(fault_of_shape([](Configuration& c) { c.row_bytes[1] = 63; }),
           "product: a row is no multiple of 4 bytes");
  CHECK_EQ(fault_of_shape([](Configuration& c) { c.rows[1] = c.row_bytes[1] = 0; }),
           "this tile is not configured");
}

TEST("amx: every thread has tiles of its own") {
  if (const char* reason = amx::unavailable()) SKIP(reason);
  const Emulator emulator;
  const Configuration config = full_tiles();
  load_config(config);
  std::thread([] {
    CHECK(!Emulator::registers().configured());
    check_order_of_sums();
    CHECK_EQ(Emulator::counts().products, 2u);
  }).join();
  CHECK(Emulator::registers().configured());
  CHECK_EQ(Emulator::counts().products, 0u);
  release();
}

#endif
