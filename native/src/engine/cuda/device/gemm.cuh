// y = x Wᵀ + b on the tensor cores, and what follows it while the sums are still in registers.
//
// x is [rows, depth], W [columns, depth], both 16-bit, row-major; sums are float32. A block computes a tile
// of y: it walks along the depth in steps of 64, copies the next steps into shared memory while it multiplies
// the present one, and each warp keeps its part of the tile in registers.
//
// An element of y is the same sum in the same order (depth ascending, 16 at a time) whatever the tile is and
// whatever other rows there are: a text's vector does not depend on its batch. So depth is never split, and
// the tile may follow the number of rows.
#pragma once

#include "engine/cuda/device/batch.cuh"
#include "engine/cuda/device/layer_norm.cuh"
#include "engine/cuda/device/layout.cuh"
#include "engine/cuda/device/number.cuh"
#include "engine/cuda/device/platform.cuh"
#include "engine/cuda/device/tensor_core.cuh"

namespace gteway::cuda {

enum class Epilogue : uint32_t {
  kPlain,     // out = y, 16-bit
  kGeluErf,   // out = y/2 (1 + erf(y/√2)), 16-bit
  kGeluTanh,  // out = y/2 (1 + tanh(√(2/π) (y + 0.044715 y³))), 16-bit
  kResidual,  // sum = y + normalised(sum), float32, in place
};

struct GemmArguments {
  const BatchHeader* batch;  // rows: its tokens
  const uint16_t* x;
  const uint16_t* weight;
  const float* bias;  // [columns]
  uint32_t columns;   // a multiple of the tile's
  uint32_t depth;     // a multiple of 64
  uint16_t* out;      // [rows, columns]; not for kResidual
  // kResidual: the residual stream. `sum` is what the last LayerNorm was applied to; its result is taken from
  // the mean and 1/deviation that were kept of each row, instead of being written and read again.
  float* sum;                // [rows, columns]
  const float2* statistics;  // [rows]
  const float* gamma;        // [columns]
  const float* beta;         // [columns]
};

template <uint32_t kRows_, uint32_t kColumns_, uint32_t kRowWarps_, uint32_t kColumnWarps_, uint32_t kStages_,
          uint32_t kBlocksPerProcessor_>
struct GemmTile {
  static constexpr uint32_t kRows = kRows_;
  static constexpr uint32_t kColumns = kColumns_;
  static constexpr uint32_t kRowWarps = kRowWarps_;
  static constexpr uint32_t kColumnWarps = kColumnWarps_;
  static constexpr uint32_t kStages = kStages_;
  static constexpr uint32_t kBlocksPerProcessor = kBlocksPerProcessor_;
  static constexpr uint32_t kThreads = kRowWarps * kColumnWarps * kWarp;
  static constexpr uint32_t kWarpRows = kRows / kRowWarps;
  static constexpr uint32_t kWarpColumns = kColumns / kColumnWarps;
  static constexpr uint32_t kDepth = 64;  // of a step: 128 bytes, a row in shared memory
  static constexpr uint32_t kXBytes = kRows * 128;
  static constexpr uint32_t kStageBytes = (kRows + kColumns) * 128;
  static constexpr uint32_t kSharedBytes = kStages * kStageBytes;
  static_assert(kWarpRows % 16 == 0 && kWarpColumns % 16 == 0);
  static_assert(kRows * kColumns * 2 <= kSharedBytes, "the tile of results leaves through the same memory");
};

// Warps of 64 × 64: each 16-byte row that ldmatrix reads feeds four products, which the shared memory's rate
// needs.
using LargeTile = GemmTile<128, 128, 2, 2, 3, 2>;
// A lone text has few rows; small tiles let more processors take part.
using SmallTile = GemmTile<32, 64, 2, 2, 4, 4>;

__host__ __device__ constexpr uint32_t gemm_blocks(uint32_t rows, uint32_t columns, uint32_t tile_rows,
                                                   uint32_t tile_columns) {
  return divide_up(rows, tile_rows) * (columns / tile_columns);
}

// Neighbouring blocks share rows of x: x is then read from memory once, while W, some megabytes, stays in the
// second-level cache.
__host__ __device__ constexpr uint2 gemm_tile_origin(uint32_t block, uint32_t columns, uint32_t tile_rows,
                                                     uint32_t tile_columns) {
  const uint32_t across = columns / tile_columns;
  return {block / across * tile_rows, block % across * tile_columns};
}

__device__ inline float gelu_erf(float y) { return 0.5F * y * (1.0F + erff(y * 0.70710678118654752F)); }
__device__ inline float gelu_tanh(float y) {
  return 0.5F * y * (1.0F + tanhf(0.79788456080286536F * (y + 0.044715F * y * y * y)));
}

template <Epilogue kEpilogue>
__device__ inline float activate(float y) {
  if constexpr (kEpilogue == Epilogue::kGeluErf) return gelu_erf(y);
  if constexpr (kEpilogue == Epilogue::kGeluTanh) return gelu_tanh(y);
  return y;
}

// A warp's part of the tile, as multiply_add leaves it: [row / 16][column / 8][register].
template <class Tile>
using Accumulators = float[Tile::kWarpRows / 16][Tile::kWarpColumns / 8][4];

template <class T, class Tile>
struct Gemm {
  static_assert(sizeof(T) == 2);

  static __device__ void load_step(const GemmArguments& g, unsigned char* stage, uint32_t rows, uint2 origin,
                                   uint32_t depth) {
    constexpr uint32_t kChunks = (Tile::kRows + Tile::kColumns) * 8;
    static_assert(kChunks % Tile::kThreads == 0 && Tile::kRows * 8 % Tile::kThreads == 0);
    GTEWAY_UNROLL
    for (uint32_t i = 0; i < kChunks / Tile::kThreads; ++i) {
      const uint32_t index = i * Tile::kThreads + threadIdx.x;
      const uint32_t row = index / 8, chunk = index % 8;
      unsigned char* to = stage + swizzle_128(row, chunk);
      if (i < Tile::kRows * 8 / Tile::kThreads) {
        const bool valid = origin.x + row < rows;
        const uint32_t from = valid ? origin.x + row : 0;
        copy_async(to, g.x + static_cast<uint64_t>(from) * g.depth + depth + chunk * 8, valid);
      } else {
        const uint32_t from = origin.y + row - Tile::kRows;
        copy_async(to, g.weight + static_cast<uint64_t>(from) * g.depth + depth + chunk * 8, true);
      }
    }
  }

  static __device__ void multiply_step(const unsigned char* stage, uint32_t warp_row, uint32_t warp_column,
                                       uint32_t lane, Accumulators<Tile>& sums) {
    const Place a_place = a_fragment_source(lane), b_place = b_fragment_source(lane);
    GTEWAY_UNROLL
    for (uint32_t k = 0; k < Tile::kDepth / 16; ++k) {
      uint32_t a[Tile::kWarpRows / 16][4];
      uint32_t b[Tile::kWarpColumns / 16][4];
      GTEWAY_UNROLL
      for (uint32_t i = 0; i < Tile::kWarpRows / 16; ++i)
        load_matrices(a[i], stage + swizzle_128(warp_row + i * 16 + a_place.row, k * 2 + a_place.chunk));
      GTEWAY_UNROLL
      for (uint32_t j = 0; j < Tile::kWarpColumns / 16; ++j)
        load_matrices(b[j], stage + Tile::kXBytes +
                                swizzle_128(warp_column + j * 16 + b_place.row, k * 2 + b_place.chunk));
      GTEWAY_UNROLL
      for (uint32_t i = 0; i < Tile::kWarpRows / 16; ++i) GTEWAY_UNROLL
      for (uint32_t j = 0; j < Tile::kWarpColumns / 8; ++j)
        multiply_add<T>(sums[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
    }
  }

  // 16-bit results go through shared memory, so that whole lines leave.
  template <Epilogue kEpilogue>
  static __device__ void store(const GemmArguments& g, unsigned char* shared, uint32_t rows, uint2 origin,
                               uint32_t warp_row, uint32_t warp_column, uint32_t lane,
                               const Accumulators<Tile>& sums) {
    constexpr uint32_t kChunks = Tile::kColumns / 8;
    GTEWAY_UNROLL
    for (uint32_t j = 0; j < Tile::kWarpColumns / 8; ++j) {
      const uint32_t column = warp_column + j * 8 + accumulator_column(lane);
      const float2 bias = *reinterpret_cast<const float2*>(g.bias + origin.y + column);
      GTEWAY_UNROLL
      for (uint32_t i = 0; i < Tile::kWarpRows / 16; ++i) GTEWAY_UNROLL
      for (uint32_t half = 0; half < 2; ++half) {
        const uint32_t row = warp_row + i * 16 + half * 8 + accumulator_row(lane);
        const uint32_t word = pack<T>(activate<kEpilogue>(sums[i][j][half * 2] + bias.x),
                                      activate<kEpilogue>(sums[i][j][half * 2 + 1] + bias.y));
        *reinterpret_cast<uint32_t*>(shared + swizzle<kChunks>(row, column / 8) + column % 8 * 2) = word;
      }
    }
    __syncthreads();
    GTEWAY_UNROLL
    for (uint32_t i = 0; i < Tile::kRows * kChunks / Tile::kThreads; ++i) {
      const uint32_t index = i * Tile::kThreads + threadIdx.x;
      const uint32_t row = index / kChunks, chunk = index % kChunks;
      if (origin.x + row >= rows) continue;
      const uint4 value = *reinterpret_cast<const uint4*>(shared + swizzle<kChunks>(row, chunk));
      uint16_t* to = g.out + static_cast<uint64_t>(origin.x + row) * g.columns + origin.y + chunk * 8;
      *reinterpret_cast<uint4*>(to) = value;
    }
  }

  // Four lanes touch 32 bytes of a row of the residual stream: whole sectors, straight from registers.
  static __device__ void add_to_residual(const GemmArguments& g, uint32_t rows, uint2 origin,
                                         uint32_t warp_row, uint32_t warp_column, uint32_t lane,
                                         const Accumulators<Tile>& sums) {
    GTEWAY_UNROLL
    for (uint32_t i = 0; i < Tile::kWarpRows / 16; ++i) GTEWAY_UNROLL
    for (uint32_t half = 0; half < 2; ++half) {
      const uint32_t row = origin.x + warp_row + i * 16 + half * 8 + accumulator_row(lane);
      if (row >= rows) continue;
      const float2 statistics = g.statistics[row];
      float* line = g.sum + static_cast<uint64_t>(row) * g.columns;
      GTEWAY_UNROLL
      for (uint32_t j = 0; j < Tile::kWarpColumns / 8; ++j) {
        const uint32_t column = origin.y + warp_column + j * 8 + accumulator_column(lane);
        const float2 bias = *reinterpret_cast<const float2*>(g.bias + column);
        const float2 gamma = *reinterpret_cast<const float2*>(g.gamma + column);
        const float2 beta = *reinterpret_cast<const float2*>(g.beta + column);
        float2 value = *reinterpret_cast<const float2*>(line + column);
        value.x = normalised(value.x, statistics, gamma.x, beta.x) + (sums[i][j][half * 2] + bias.x);
        value.y = normalised(value.y, statistics, gamma.y, beta.y) + (sums[i][j][half * 2 + 1] + bias.y);
        *reinterpret_cast<float2*>(line + column) = value;
      }
    }
  }
};

template <class T, class Tile, Epilogue kEpilogue>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocksPerProcessor) gemm(const GemmArguments g) {
  using Step = Gemm<T, Tile>;
  const uint32_t rows = g.batch->tokens;
  const uint2 origin = gemm_tile_origin(blockIdx.x, g.columns, Tile::kRows, Tile::kColumns);
  if (origin.x >= rows) return;

  unsigned char* const shared = shared_memory();
  const uint32_t lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const uint32_t warp_row = warp / Tile::kColumnWarps * Tile::kWarpRows;
  const uint32_t warp_column = warp % Tile::kColumnWarps * Tile::kWarpColumns;

  Accumulators<Tile> sums;
  GTEWAY_UNROLL
  for (uint32_t i = 0; i < Tile::kWarpRows / 16; ++i) GTEWAY_UNROLL
  for (uint32_t j = 0; j < Tile::kWarpColumns / 8; ++j) GTEWAY_UNROLL
  for (uint32_t r = 0; r < 4; ++r) sums[i][j][r] = 0;

  const uint32_t steps = g.depth / Tile::kDepth;
  GTEWAY_UNROLL
  for (uint32_t s = 0; s < Tile::kStages - 1; ++s) {
    if (s < steps) Step::load_step(g, shared + s * Tile::kStageBytes, rows, origin, s * Tile::kDepth);
    commit_copies();
  }
  for (uint32_t s = 0; s < steps; ++s) {
    wait_for_copies<Tile::kStages - 2>();
    __syncthreads();  // step s is here, and everyone is done with s - 1, whose place the next copy takes
    const uint32_t next = s + Tile::kStages - 1;
    if (next < steps)
      Step::load_step(g, shared + next % Tile::kStages * Tile::kStageBytes, rows, origin,
                      next * Tile::kDepth);
    commit_copies();
    Step::multiply_step(shared + s % Tile::kStages * Tile::kStageBytes, warp_row, warp_column, lane, sums);
  }

  if constexpr (kEpilogue == Epilogue::kResidual) {
    Step::add_to_residual(g, rows, origin, warp_row, warp_column, lane, sums);
  } else {
    wait_for_copies<0>();
    __syncthreads();
    Step::template store<kEpilogue>(g, shared, rows, origin, warp_row, warp_column, lane, sums);
  }
}

}  // namespace gteway::cuda
