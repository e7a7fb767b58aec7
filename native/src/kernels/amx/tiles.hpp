// Tiles: their configuration, the 2 × 2 block of products that everything here is made of, and the layout
// that the right-hand side of a product must have.
//
// Tiles 0 to 3 are the sums c00, c01, c10, c11 of a block of 32 rows and 32 columns; 4 and 5 its rows a0 and
// a1; 6 and 7 its columns b0 and b1. A step multiplies 64 bytes of each row (32 bfloat16 or 64 int8).
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/encoder_contract.hpp"

namespace gteway::kernels::amx {
namespace {

constexpr size_t kTileRows = 16;
constexpr size_t kBlockRows = 2 * kTileRows;
constexpr size_t kTileBytes = 1024;
constexpr size_t kStepBytes = 2 * kTileBytes;  // of the right-hand side: 64 bytes of depth for kPanelColumns
static_assert(kPanelColumns == 2 * 16);

// GCC's intrinsics are assembly that does not name the memory they read, so stores before them might be moved
// behind. Between writing memory with anything else and loading tiles from it, this keeps the order.
inline void stores_before_tile_loads() { __asm__ volatile("" ::: "memory"); }

// What LDTILECFG reads: Intel's Software Developer's Manual, volume 1, 18.2.
struct TileConfiguration {
  uint8_t palette;
  uint8_t start_row;
  uint8_t reserved_a[14];
  uint16_t row_bytes[8];
  uint16_t reserved_b[8];
  uint8_t rows[8];
  uint8_t reserved_c[8];
};
static_assert(sizeof(TileConfiguration) == 64);

// The tiles are in use while one of these lives: made at the start of each kernel and gone at its end, so
// that no other code ever runs with them (threads that hold tiles have 8 KiB more to save at each switch, and
// more in each signal's frame).
class Tiles {
 public:
  // For blocks of up to `rows` rows, 1 to 32. Rows beyond them are neither read nor computed; above 16 in
  // steps of 1 too, and up to 16 only c00 and c01 exist.
  explicit Tiles(size_t rows) {
    const size_t upper = rows < kTileRows ? rows : kTileRows, lower = rows - upper;
    TileConfiguration config{};
    config.palette = 1;
    constexpr int kUpper[] = {0, 1, 4}, kLower[] = {2, 3, 5}, kColumns[] = {6, 7};
    for (const int tile : kUpper) shape(config, tile, upper);
    for (const int tile : kLower) shape(config, tile, lower);
    for (const int tile : kColumns) shape(config, tile, kTileRows);
#if defined(__GNUC__)
    // Not _tile_loadconfig: GCC 12's names 8 of the 64 bytes as read, and may drop the stores to the others.
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
#else
    _tile_loadconfig(&config);
#endif
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

 private:
  static void shape(TileConfiguration& config, int tile, size_t rows) {
    config.rows[tile] = static_cast<uint8_t>(rows);
    config.row_bytes[tile] = rows == 0 ? 0 : 64;
  }
};

// The four products of a step.
struct ProductBf16 {
  static void c00() { _tile_dpbf16ps(0, 4, 6); }
  static void c01() { _tile_dpbf16ps(1, 4, 7); }
  static void c10() { _tile_dpbf16ps(2, 5, 6); }
  static void c11() { _tile_dpbf16ps(3, 5, 7); }
};
struct ProductU8I8 {
  static void c00() { _tile_dpbusd(0, 4, 6); }
  static void c01() { _tile_dpbusd(1, 4, 7); }
  static void c10() { _tile_dpbusd(2, 5, 6); }
  static void c11() { _tile_dpbusd(3, 5, 7); }
};

// c = a b for one block, left in tiles 0 to 3. a: rows `stride` bytes apart, 64 bytes of each for a step; b:
// steps of kStepBytes, b0 before b1. steps ≥ 1. kLower: whether there are rows below the 16th. `beside()` is
// called once for each step: vector work that runs while the products do.
//
// A tile is loaded for the next step right after the last product that needs it in this one, so that loads
// run behind products. The last product frees two tiles at once; the order of the four alternates, so that
// the next step begins with the two that were loaded before.
template <class Product, bool kLower, class Beside>
inline void multiply_block(const uint8_t* a, size_t stride, const uint8_t* b, size_t steps, Beside beside) {
  const uint8_t* a1 = kLower ? a + kTileRows * stride : a;
  _tile_zero(0);
  _tile_zero(1);
  _tile_loadd(4, a, stride);
  _tile_loadd(6, b, 64);
  if constexpr (kLower) {
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(5, a1, stride);
  }
  _tile_loadd(7, b + kTileBytes, 64);
  size_t left = steps - 1;  // to be loaded
  const auto next = [&] {
    a += 64;
    a1 += 64;
    b += kStepBytes;
    --left;
  };
  if constexpr (!kLower) {
    while (left > 0) {
      next();
      Product::c00();
      _tile_loadd(6, b, 64);
      Product::c01();
      _tile_loadd(4, a, stride);
      _tile_loadd(7, b + kTileBytes, 64);
      beside();
    }
    Product::c00();
    Product::c01();
    beside();
    return;
  }
  for (;;) {
    if (left == 0) break;
    next();
    Product::c00();
    Product::c10();
    _tile_loadd(6, b, 64);
    Product::c11();
    _tile_loadd(5, a1, stride);
    Product::c01();
    _tile_loadd(4, a, stride);
    _tile_loadd(7, b + kTileBytes, 64);
    beside();
    if (left == 0) break;
    next();
    Product::c10();
    Product::c00();
    _tile_loadd(6, b, 64);
    Product::c01();
    _tile_loadd(4, a, stride);
    Product::c11();
    _tile_loadd(5, a1, stride);
    _tile_loadd(7, b + kTileBytes, 64);
    beside();
  }
  Product::c00();
  Product::c10();
  Product::c11();
  Product::c01();
  beside();
}

// Tiles 0 to 3 to memory: rows of 32 sums, `stride` bytes apart.
template <bool kLower>
inline void store_block(void* sums, size_t stride) {
  auto* const bytes = static_cast<uint8_t*>(sums);
  _tile_stored(0, bytes, stride);
  _tile_stored(1, bytes + 64, stride);
  if constexpr (kLower) {
    _tile_stored(2, bytes + kTileRows * stride, stride);
    _tile_stored(3, bytes + kTileRows * stride + 64, stride);
  }
}

}  // namespace
}  // namespace gteway::kernels::amx
