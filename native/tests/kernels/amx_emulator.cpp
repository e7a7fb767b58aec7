#include "kernels/amx_emulator.hpp"

#if defined(GTEWAY_AMX_EMULATOR)

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "cpu/features.hpp"

namespace gteway::test::amx {
namespace {

// Even and odd sums of one row of c. Compiled for FMA, which every machine that gets here has: it has
// AVX-512.
__attribute__((target("fma"), noinline)) void row_product_bf16(const uint8_t* a, size_t depth, const Tile& b,
                                                               size_t columns, uint8_t* c) {
  float even[16] = {}, odd[16] = {};
  const auto widen = [](uint32_t upper) {
    float value;
    std::memcpy(&value, &upper, sizeof value);
    return value;
  };
  for (size_t k = 0; k < depth; ++k) {
    uint32_t pair_a;
    std::memcpy(&pair_a, a + 4 * k, sizeof pair_a);
    const float a_even = widen(pair_a << 16), a_odd = widen(pair_a & 0xffff0000);
    for (size_t n = 0; n < columns; ++n) {
      uint32_t pair_b;
      std::memcpy(&pair_b, b.row[k] + 4 * n, sizeof pair_b);
      even[n] = __builtin_fmaf(a_even, widen(pair_b << 16), even[n]);
      odd[n] = __builtin_fmaf(a_odd, widen(pair_b & 0xffff0000), odd[n]);
    }
  }
  for (size_t n = 0; n < columns; ++n) {
    float sum;
    std::memcpy(&sum, c + 4 * n, sizeof sum);
    const float pairs = even[n] + odd[n];
    sum += pairs;
    std::memcpy(c + 4 * n, &sum, sizeof sum);
  }
}

template <class A, class B>
void row_product_i8(const uint8_t* a, size_t depth, const Tile& b, size_t columns, uint8_t* c) {
  for (size_t n = 0; n < columns; ++n) {
    uint32_t sum;
    std::memcpy(&sum, c + 4 * n, sizeof sum);
    for (size_t k = 0; k < depth; ++k)
      for (size_t i = 0; i < 4; ++i)
        sum += static_cast<uint32_t>(static_cast<A>(a[4 * k + i]) * static_cast<B>(b.row[k][4 * n + i]));
    std::memcpy(c + 4 * n, &sum, sizeof sum);
  }
}

}  // namespace

Fault TileRegisters::load_config(const void* memory) {
  Configuration asked;
  std::memcpy(&asked, memory, sizeof asked);
  if (asked.palette > 1) return "ldtilecfg: palette above 1";
  if (asked.palette == 0) {
    release();
    return nullptr;
  }
  for (const uint8_t byte : asked.reserved_a)
    if (byte != 0) return "ldtilecfg: bytes 2 to 15 are not zero";
  for (const uint16_t word : asked.reserved_b)
    if (word != 0) return "ldtilecfg: bytes 32 to 47 are not zero";
  for (const uint8_t byte : asked.reserved_c)
    if (byte != 0) return "ldtilecfg: bytes 56 to 63 are not zero";
  // Only an interrupted load or store leaves another, and no code of ours goes on with one.
  if (asked.start_row != 0) return "ldtilecfg: start_row is not zero";
  for (size_t t = 0; t < kTiles; ++t) {
    if (asked.rows[t] > kTileRows) return "ldtilecfg: more than 16 rows";
    if (asked.row_bytes[t] > kRowBytes) return "ldtilecfg: more than 64 bytes a row";
    if ((asked.rows[t] == 0) != (asked.row_bytes[t] == 0))
      return "ldtilecfg: rows without columns, or columns without rows";
  }
  release();
  config_ = asked;
  configured_ = true;
  return nullptr;
}

void TileRegisters::store_config(void* memory) const { std::memcpy(memory, &config_, sizeof config_); }

void TileRegisters::release() {
  configured_ = false;
  config_ = {};
  std::memset(tiles_, 0, sizeof tiles_);
}

Fault TileRegisters::check(unsigned tile) const {
  if (!configured_) return "tiles are not configured";
  if (tile >= kTiles || config_.rows[tile] == 0) return "this tile is not configured";
  return nullptr;
}

Fault TileRegisters::zero(unsigned tile) {
  if (const Fault fault = check(tile)) return fault;
  std::memset(&tiles_[tile], 0, sizeof(Tile));
  return nullptr;
}

Fault TileRegisters::load(unsigned tile, const void* base, ptrdiff_t stride) {
  if (const Fault fault = check(tile)) return fault;
  Tile loaded{};
  const auto* from = static_cast<const uint8_t*>(base);
  for (size_t r = 0; r < config_.rows[tile]; ++r)
    std::memcpy(loaded.row[r], from + static_cast<ptrdiff_t>(r) * stride, config_.row_bytes[tile]);
  tiles_[tile] = loaded;
  return nullptr;
}

Fault TileRegisters::store(unsigned tile, void* base, ptrdiff_t stride) const {
  if (const Fault fault = check(tile)) return fault;
  auto* to = static_cast<uint8_t*>(base);
  for (size_t r = 0; r < config_.rows[tile]; ++r)
    std::memcpy(to + static_cast<ptrdiff_t>(r) * stride, tiles_[tile].row[r], config_.row_bytes[tile]);
  return nullptr;
}

Fault TileRegisters::check_product(unsigned c, unsigned a, unsigned b) const {
  for (const unsigned tile : {c, a, b})
    if (const Fault fault = check(tile)) return fault;
  if (c == a || c == b || a == b) return "product: a tile is named twice";
  for (const unsigned tile : {c, a, b})
    if (config_.row_bytes[tile] % 4 != 0) return "product: a row is no multiple of 4 bytes";
  if (config_.rows[c] != config_.rows[a]) return "product: rows of c and a differ";
  if (config_.row_bytes[a] / 4 != config_.rows[b]) return "product: columns of a and rows of b differ";
  if (config_.row_bytes[c] != config_.row_bytes[b]) return "product: columns of c and b differ";
  return nullptr;
}

Fault TileRegisters::product_bf16(unsigned c, unsigned a, unsigned b) {
  if (const Fault fault = check_product(c, a, b)) return fault;
  // All exceptions masked, to nearest, DAZ (bit 6), FTZ (bit 15).
  const unsigned before = _mm_getcsr();
  _mm_setcsr(0x1f80 | 1u << 6 | 1u << 15);
  for (size_t m = 0; m < config_.rows[c]; ++m)
    row_product_bf16(tiles_[a].row[m], config_.row_bytes[a] / 4, tiles_[b], config_.row_bytes[c] / 4,
                     tiles_[c].row[m]);
  _mm_setcsr(before);
  return nullptr;
}

Fault TileRegisters::product_i8(unsigned c, unsigned a, unsigned b, bool a_signed, bool b_signed) {
  if (const Fault fault = check_product(c, a, b)) return fault;
  const auto row_product =
      a_signed ? (b_signed ? row_product_i8<int8_t, int8_t> : row_product_i8<int8_t, uint8_t>)
               : (b_signed ? row_product_i8<uint8_t, int8_t> : row_product_i8<uint8_t, uint8_t>);
  for (size_t m = 0; m < config_.rows[c]; ++m)
    row_product(tiles_[a].row[m], config_.row_bytes[a] / 4, tiles_[b], config_.row_bytes[c] / 4,
                tiles_[c].row[m]);
  return nullptr;
}

namespace {

// initial-exec and no constructor at run time: the handler must not allocate.
struct Thread {
  TileRegisters registers;
  Counts counts;
  unsigned generation = 0;
  sigjmp_buf* on_fault = nullptr;
  Fault fault = nullptr;
};
constinit thread_local Thread thread;
constinit std::atomic<unsigned> generation{0};
struct sigaction before;

Thread& this_thread() {
  const unsigned current = generation.load(std::memory_order_acquire);
  if (thread.generation != current) {
    thread.registers.release();
    thread.counts = {};
    thread.generation = current;
  }
  return thread;
}

// General-purpose registers by their number in an encoding.
constexpr int kRegister[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// A decoded tile instruction: VEX.128.pp.0F38.W0 opcode modrm [sib] [displacement].
struct Instruction {
  unsigned prefix;  // VEX.pp: 0 none, 1 66, 2 F3, 3 F2
  uint8_t opcode;
  unsigned reg, vvvv, rm;
  bool in_memory, has_sib;
  uint64_t base;     // displacement included
  ptrdiff_t stride;  // index << scale
  size_t length;
};

bool decode(const uint8_t* code, const greg_t* registers, Instruction& out) {
  if (code[0] != 0xc4) return false;
  const bool r = !(code[1] & 0x80), x = !(code[1] & 0x40), b = !(code[1] & 0x20);
  if ((code[1] & 0x1f) != 2) return false;                 // map 0F38
  if ((code[2] & 0x80) || (code[2] & 0x04)) return false;  // W1, or 256 bits
  out.prefix = code[2] & 3;
  out.vvvv = ~(code[2] >> 3) & 15;
  out.opcode = code[3];
  const unsigned mod = code[4] >> 6, low = code[4] & 7;
  out.reg = (code[4] >> 3 & 7) | (r ? 8u : 0u);
  out.rm = low | (b ? 8u : 0u);
  out.in_memory = mod != 3;
  out.has_sib = out.in_memory && low == 4;
  out.base = 0;
  out.stride = 0;
  size_t at = 5;
  if (out.in_memory) {
    bool displacement32 = mod == 2;
    bool from_next = false;
    if (out.has_sib) {
      const uint8_t sib = code[at++];
      const unsigned index = (sib >> 3 & 7) | (x ? 8u : 0u);
      if (index != 4) out.stride = static_cast<ptrdiff_t>(registers[kRegister[index]]) << (sib >> 6);
      if ((sib & 7) == 5 && mod == 0)
        displacement32 = true;
      else
        out.base = static_cast<uint64_t>(registers[kRegister[(sib & 7) | (b ? 8u : 0u)]]);
    } else if (low == 5 && mod == 0) {
      displacement32 = from_next = true;
    } else {
      out.base = static_cast<uint64_t>(registers[kRegister[out.rm]]);
    }
    if (displacement32) {
      int32_t displacement;
      std::memcpy(&displacement, code + at, sizeof displacement);
      out.base += static_cast<uint64_t>(int64_t{displacement});
      at += 4;
    } else if (mod == 1) {
      out.base += static_cast<uint64_t>(int64_t{static_cast<int8_t>(code[at++])});
    }
    if (from_next) out.base += static_cast<uint64_t>(registers[REG_RIP]) + at;
  }
  out.length = at;
  return true;
}

Fault execute(const Instruction& it, Thread& on) {
  TileRegisters& tiles = on.registers;
  auto* memory = reinterpret_cast<void*>(it.base);
  if (it.opcode == 0x49 && it.in_memory && it.reg == 0 && it.vvvv == 0) {
    // Their memory operand's index is an address, no stride.
    memory = reinterpret_cast<void*>(it.base + static_cast<uint64_t>(it.stride));
    if (it.prefix == 0) {
      ++on.counts.configurations;
      return tiles.load_config(memory);
    }
    if (it.prefix == 1) {
      tiles.store_config(memory);
      return nullptr;
    }
  }
  if (it.opcode == 0x49 && !it.in_memory && it.vvvv == 0 && it.rm == 0) {
    if (it.prefix == 0 && it.reg == 0) {
      tiles.release();
      return nullptr;
    }
    if (it.prefix == 3) return tiles.zero(it.reg);
  }
  if (it.opcode == 0x4b && it.has_sib && it.vvvv == 0) {
    if (it.prefix == 2) {
      ++on.counts.stores;
      return tiles.store(it.reg, memory, it.stride);
    }
    if (it.prefix == 1 || it.prefix == 3) {  // TILELOADDT1 and TILELOADD
      ++on.counts.loads;
      return tiles.load(it.reg, memory, it.stride);
    }
  }
  if (it.opcode == 0x5c && !it.in_memory && it.prefix == 2) {
    ++on.counts.products;
    return tiles.product_bf16(it.reg, it.rm, it.vvvv);
  }
  if (it.opcode == 0x5e && !it.in_memory) {
    ++on.counts.products;
    return tiles.product_i8(it.reg, it.rm, it.vvvv, it.prefix >= 2, it.prefix == 1 || it.prefix == 3);
  }
  return "no tile instruction this emulator knows";
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  Thread& on = this_thread();
  Instruction instruction;
  Fault fault = "an illegal instruction that is no AMX";
  if (decode(reinterpret_cast<const uint8_t*>(registers[REG_RIP]), registers, instruction)) {
    fault = execute(instruction, on);
    if (fault == nullptr) {
      registers[REG_RIP] += static_cast<greg_t>(instruction.length);
      return;
    }
  }
  if (on.on_fault != nullptr) {
    on.fault = fault;
    siglongjmp(*on.on_fault, 1);
  }
  const auto print = [](const char* text) { (void)!write(STDERR_FILENO, text, std::strlen(text)); };
  print("AMX emulator: ");
  print(fault);
  print("\n");
  std::abort();
}

}  // namespace

Emulator::Emulator() {
  ++generation;
  struct sigaction handler {};
  handler.sa_sigaction = on_illegal_instruction;
  handler.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &handler, &before);
}

Emulator::~Emulator() { sigaction(SIGILL, &before, nullptr); }

TileRegisters& Emulator::registers() { return this_thread().registers; }
Counts Emulator::counts() { return this_thread().counts; }

std::optional<std::string> Emulator::fault_of(const std::function<void()>& body) {
  Thread& on = this_thread();
  sigjmp_buf buffer;
  on.fault = nullptr;
  if (sigsetjmp(buffer, 1) == 0) {
    on.on_fault = &buffer;
    body();
  }
  on.on_fault = nullptr;
  on.registers.release();
  if (on.fault == nullptr) return std::nullopt;
  return std::string(on.fault);
}

const char* unavailable() {
  if (hardware()) return "this processor executes tile instructions itself: nothing traps";
  // The kernels need it anyway, and QEMU 7.2, which has none, takes tile instructions for others instead of
  // trapping.
  if (!cpu::features().avx512f || !cpu::features().fma)
    return "this machine has no AVX-512, which emulating AMX needs";
  return nullptr;
}

bool hardware() { return cpu::features().amx_bf16 && cpu::features().amx_int8 && cpu::request_amx(); }

}  // namespace gteway::test::amx

#endif
