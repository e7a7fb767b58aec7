// AMX in software, for machines without it. Such a machine traps on the first tile instruction (#UD, which
// Linux delivers as SIGILL); a handler decodes the instruction, does in memory what a processor would do, and
// goes on behind it. So what is tested is the very object code that machines with AMX run: its encodings, its
// registers, what the compiler moved across it, and every rule on whose breach a processor faults.
//
// Source: Intel's Software Developer's Manual, volume 1 chapter 18 and volume 2, LDTILECFG to TILEZERO.
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#define GTEWAY_AMX_EMULATOR 1

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace gteway::test::amx {

inline constexpr size_t kTiles = 8, kTileRows = 16, kRowBytes = 64;  // palette 1

// Null, or the rule that was broken: what makes a processor fault.
using Fault = const char*;

// The 64 bytes in memory that LDTILECFG reads.
struct Configuration {
  uint8_t palette;
  uint8_t start_row;
  uint8_t reserved_a[14];
  uint16_t row_bytes[kTiles];
  uint16_t reserved_b[8];
  uint8_t rows[kTiles];
  uint8_t reserved_c[8];
};
static_assert(sizeof(Configuration) == 64);

struct Tile {
  alignas(64) uint8_t row[kTileRows][kRowBytes];
};

// One thread's tile registers. On a fault nothing has changed.
class TileRegisters {
 public:
  Fault load_config(const void* memory);
  void store_config(void* memory) const;
  void release();  // back to the initial state: nothing configured
  Fault zero(unsigned tile);
  Fault load(unsigned tile, const void* base, ptrdiff_t stride);
  Fault store(unsigned tile, void* base, ptrdiff_t stride) const;
  // c += a b, of pairs of bfloat16: even and odd elements are summed apart, each a chain of fused
  // multiply-adds from zero in order of k; the two sums are added, and that to c. Round to nearest even,
  // subnormals are zero going in and coming out, whatever MXCSR says.
  Fault product_bf16(unsigned c, unsigned a, unsigned b);
  // c += a b, of fours of bytes, wrapping around.
  Fault product_i8(unsigned c, unsigned a, unsigned b, bool a_signed, bool b_signed);

  bool configured() const { return configured_; }
  const Tile& tile(unsigned index) const { return tiles_[index]; }

 private:
  Fault check(unsigned tile) const;
  Fault check_product(unsigned c, unsigned a, unsigned b) const;

  bool configured_ = false;
  Configuration config_{};
  Tile tiles_[kTiles]{};
};

struct Counts {
  size_t configurations = 0, loads = 0, stores = 0, products = 0;
};

// Why tile instructions cannot be emulated here; null where they can.
const char* unavailable();

// While it lives, tile instructions of all threads of this process are emulated. One at a time. A fault
// outside fault_of() prints what was broken and aborts, as an unhandled signal would.
class Emulator {
 public:
  Emulator();
  ~Emulator();
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;

  // This thread's registers and what it executed since the emulator was made.
  static TileRegisters& registers();
  static Counts counts();

  // Runs `body` on this thread; the fault that ended it, or nothing. Objects that `body` holds at a fault are
  // not destroyed.
  static std::optional<std::string> fault_of(const std::function<void()>& body);
};

// Whether this processor executes tile instructions itself (and the system lets this process).
bool hardware();

}  // namespace gteway::test::amx

#endif
