// Index arithmetic of the tensor cores' operands: where elements of a tile lie in shared memory, and which
// lane of a warp holds which. Checked on the host by native/tests/engine/cuda/layout_test.cpp.
#pragma once

#include "engine/cuda/device/platform.cuh"

namespace gteway::cuda {

// Tiles lie in shared memory row after row, in chunks of 16 bytes (8 elements). Chunks are permuted within
// their row, so that the eight rows an ldmatrix reads at one column fall into eight different groups of
// banks.

// Rows of 128 bytes: the byte offset of a chunk (0…7) of a row. This is also the "128-byte swizzle" that
// wgmma reads operands in: address bits 4-6 XOR bits 7-9, in tiles aligned to 1,024 bytes.
__host__ __device__ constexpr uint32_t swizzle_128(uint32_t row, uint32_t chunk) {
  return row * 128 + ((chunk ^ (row & 7U)) << 4);
}

// Rows of 64 bytes: a chunk (0…3) of a row; two rows share the 128 bytes that all banks hold.
__host__ __device__ constexpr uint32_t swizzle_64(uint32_t row, uint32_t chunk) {
  return row * 64 + ((chunk ^ ((row >> 1) & 3U)) << 4);
}

// Rows of kChunks × 16 bytes, kChunks any multiple of 8: the permutation stays within eight chunks.
template <uint32_t kChunks>
__host__ __device__ constexpr uint32_t swizzle(uint32_t row, uint32_t chunk) {
  static_assert(kChunks == 4 || kChunks % 8 == 0);
  if constexpr (kChunks == 4) return swizzle_64(row, chunk);
  return row * (kChunks * 16) + ((chunk ^ (row & 7U)) << 4);
}

struct Place {
  uint32_t row;
  uint32_t chunk;
};

// ldmatrix.x4 reads four 8×8 matrices; each lane names one row of eight elements. Where lane l points for …

// … a 16×16 A tile (row-major): fragments a0…a3 of mma.m16n8k16.
__host__ __device__ constexpr Place a_fragment_source(uint32_t lane) { return {lane % 16, lane / 16}; }

// … the B of two products side by side, 16 columns × 16 deep, stored [column][depth]: b0, b1 of the first 8
// columns, then of the second.
__host__ __device__ constexpr Place b_fragment_source(uint32_t lane) {
  return {lane % 8 + lane / 16 * 8, lane / 8 % 2};
}

// … the same B stored [depth][column], for ldmatrix.trans.
__host__ __device__ constexpr Place b_transposed_fragment_source(uint32_t lane) {
  return {lane % 16, lane / 16};
}

// The 16×8 accumulator tile: registers 0 and 1 are row accumulator_row, columns accumulator_column and the
// one after it; 2 and 3 the same eight rows further down.
__host__ __device__ constexpr uint32_t accumulator_row(uint32_t lane) { return lane / 4; }
__host__ __device__ constexpr uint32_t accumulator_column(uint32_t lane) { return lane % 4 * 2; }

}  // namespace gteway::cuda
