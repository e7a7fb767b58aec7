#include "engine/cuda/device/layout.cuh"

#include <set>
#include <vector>

#include "engine/cuda/device/attention.cuh"
#include "engine/cuda/device/gemm.cuh"
#include "test.hpp"

namespace gteway::cuda::test {
namespace {

// The 8 rows that ldmatrix reads at one column, and the 8 chunks of a line that a copy writes, must each
// touch all 32 banks once.
template <uint32_t kChunks>
void check_swizzle(uint32_t rows) {
  std::set<uint32_t> places;
  for (uint32_t row = 0; row < rows; ++row)
    for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
      const uint32_t at = swizzle<kChunks>(row, chunk);
      CHECK_EQ(at % 16, 0u);
      CHECK(at < rows * kChunks * 16);
      places.insert(at);
    }
  CHECK_EQ(places.size(), size_t{rows} * kChunks);
  for (uint32_t first = 0; first < rows; first += 8)
    for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
      std::set<uint32_t> banks;
      for (uint32_t row = first; row < first + 8; ++row) banks.insert(swizzle<kChunks>(row, chunk) / 16 % 8);
      CHECK_EQ(banks.size(), 8u);
    }
}

}  // namespace

TEST("cuda layout: swizzles are permutations without bank conflicts") {
  check_swizzle<4>(64);
  check_swizzle<8>(64);
  check_swizzle<16>(128);
}

TEST("cuda layout: the 128-byte swizzle is the XOR of address bits that wgmma expects") {
  for (uint32_t row = 0; row < 64; ++row)
    for (uint32_t chunk = 0; chunk < 8; ++chunk) {
      const uint32_t plain = row * 128 + chunk * 16;
      CHECK_EQ(swizzle_128(row, chunk), plain ^ ((plain >> 7 & 7U) << 4));
    }
}

TEST("cuda layout: the tiles of a product cover it once") {
  constexpr uint32_t kRows = 300, kColumns = 384;
  std::vector<int> covered(divide_up(kRows, 128U) * 128 * kColumns);
  const uint32_t blocks = gemm_blocks(kRows, kColumns, 128, 128);
  CHECK_EQ(blocks, 9u);
  for (uint32_t block = 0; block < blocks; ++block) {
    const uint2 origin = gemm_tile_origin(block, kColumns, 128, 128);
    for (uint32_t r = 0; r < 128; ++r)
      for (uint32_t c = 0; c < 128; ++c) ++covered[(origin.x + r) * kColumns + origin.y + c];
  }
  for (const int count : covered) CHECK_EQ(count, 1);
}

TEST("cuda layout: attention blocks cover every head of every item once") {
  for (const uint32_t heads : {1U, 3U, 12U}) {
    BatchHeader batch = {};
    batch.items[0] = 5;
    batch.items[1] = 3;
    batch.items[2] = 4;
    std::vector<int> covered(12 * heads);
    const uint32_t blocks = attention_blocks(batch, heads);
    for (uint32_t b = 0; b < blocks; ++b) {
      const AttentionBlock block = attention_block(batch, heads, b);
      CHECK(block.row_class < kRowClasses);
      CHECK_EQ(block.row_class, block.item < 5 ? 0u : block.item < 8 ? 1u : 2u);
      for (uint32_t h = 0; h < heads_per_block(block.row_class); ++h)
        if (block.first_head + h < heads) ++covered[block.item * heads + block.first_head + h];
    }
    for (const int count : covered) CHECK_EQ(count, 1);
    CHECK_EQ(attention_block(batch, heads, blocks).row_class, kRowClasses);
  }
}

TEST("cuda number: rounding to bf16 and fp16 is to nearest, ties to even") {
  CHECK_EQ(round_to_bf16(1.0F), 0x3f80);
  CHECK_EQ(round_to_bf16(1.00390625F), 0x3f80);  // half way, down to even
  CHECK_EQ(round_to_bf16(1.01171875F), 0x3f82);  // half way, up to even
  CHECK_EQ(round_to_bf16(3.4e38F), 0x7f80);      // beyond the largest
  CHECK(std::isnan(emulation::bf16_to_float(round_to_bf16(NAN))));
  CHECK_EQ(round_to_fp16(65519.0F), 0x7bff);
  CHECK_EQ(round_to_fp16(65520.0F), 0x7c00);
  CHECK_EQ(round_to_fp16(-1.0F), 0xbc00);
  CHECK_EQ(round_to_fp16(5.9604645e-8F), 0x0001);  // 2^-24
  CHECK_EQ(round_to_fp16(2.9802322e-8F), 0x0000);  // half of it: to even
  CHECK_EQ(round_to_fp16(2.9802326e-8F), 0x0001);
  for (uint32_t bits = 0; bits < 0x7c00; ++bits)
    CHECK_EQ(round_to_fp16(emulation::fp16_to_float(static_cast<uint16_t>(bits))), bits);
}

}  // namespace gteway::cuda::test
