// From the last layer's rows to vectors: the last LayerNorm (its statistics are there already), pooling, and
// division by the length of the vector.
#pragma once

#include "engine/cuda/device/batch.cuh"
#include "engine/cuda/device/layer_norm.cuh"
#include "engine/cuda/device/platform.cuh"

namespace gteway::cuda {

struct PoolArguments {
  const BatchHeader* batch;
  const uint32_t* offsets;  // [sequences + 1]
  const float* sum;         // [tokens, columns]
  const float2* statistics;
  const float* gamma;
  const float* beta;
  bool mean;  // over all of a sequence's rows; else its first row
  bool normalize;
  float* out;  // [sequences, columns]
};

constexpr uint32_t kPoolThreads = 256;
constexpr uint32_t kPoolWarps = kPoolThreads / kWarp;

template <uint32_t kVectors>
constexpr uint32_t pool_shared_bytes() {
  return kPoolWarps * Row<kVectors>::kColumns * 4;
}

template <uint32_t kVectors>
__device__ inline void scale_to_unit_length(float4 (&row)[kVectors]) {
  float squares = 0;
  GTEWAY_UNROLL
  for (uint32_t v = 0; v < kVectors; ++v)
    squares += fmaf(row[v].x, row[v].x, row[v].y * row[v].y) + fmaf(row[v].z, row[v].z, row[v].w * row[v].w);
  // The floor is torch.nn.functional.normalize's.
  const float scale = 1.0F / fmaxf(sqrtf(warp_sum(squares)), 1e-12F);
  GTEWAY_UNROLL
  for (uint32_t v = 0; v < kVectors; ++v) {
    row[v].x *= scale;
    row[v].y *= scale;
    row[v].z *= scale;
    row[v].w *= scale;
  }
}

// A block per sequence. Warp w sums rows w, w + 8, …; the first warp adds up the eight sums, in order.
template <uint32_t kVectors>
__global__ void __launch_bounds__(kPoolThreads) pool_sequences(const PoolArguments p) {
  using Columns = Row<kVectors>;
  const uint32_t lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, sequence = blockIdx.x;
  if (sequence >= p.batch->sequences) return;
  const uint32_t first = p.offsets[sequence];
  const uint32_t rows = p.mean ? p.offsets[sequence + 1] - first : 1;

  float4 total[kVectors];
  GTEWAY_UNROLL
  for (uint32_t v = 0; v < kVectors; ++v) total[v] = make_float4(0, 0, 0, 0);
  for (uint32_t r = warp; r < rows; r += kPoolWarps) {
    float4 row[kVectors];
    Columns::load(p.sum + static_cast<uint64_t>(first + r) * Columns::kColumns, lane, row);
    Columns::normalise(row, p.statistics[first + r], p.gamma, p.beta, lane);
    GTEWAY_UNROLL
    for (uint32_t v = 0; v < kVectors; ++v) {
      total[v].x += row[v].x;
      total[v].y += row[v].y;
      total[v].z += row[v].z;
      total[v].w += row[v].w;
    }
  }
  float* const shared = reinterpret_cast<float*>(shared_memory());
  Columns::store(shared + warp * Columns::kColumns, lane, total);
  __syncthreads();
  if (warp != 0) return;

  GTEWAY_UNROLL
  for (uint32_t w = 1; w < kPoolWarps; ++w) {
    float4 part[kVectors];
    Columns::load(shared + w * Columns::kColumns, lane, part);
    GTEWAY_UNROLL
    for (uint32_t v = 0; v < kVectors; ++v) {
      total[v].x += part[v].x;
      total[v].y += part[v].y;
      total[v].z += part[v].z;
      total[v].w += part[v].w;
    }
  }
  const float scale = 1.0F / static_cast<float>(rows);
  GTEWAY_UNROLL
  for (uint32_t v = 0; v < kVectors; ++v) {
    total[v].x *= scale;
    total[v].y *= scale;
    total[v].z *= scale;
    total[v].w *= scale;
  }
  if (p.normalize) scale_to_unit_length<kVectors>(total);
  Columns::store(p.out + static_cast<uint64_t>(sequence) * Columns::kColumns, lane, total);
}

// A warp per token: every row is a result. out: [tokens, columns].
template <uint32_t kVectors>
__global__ void __launch_bounds__(kRowKernelThreads) finish_tokens(const PoolArguments p) {
  const uint32_t lane = threadIdx.x % kWarp, token = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarp;
  if (token >= p.batch->tokens) return;
  const uint64_t at = static_cast<uint64_t>(token) * Row<kVectors>::kColumns;
  float4 row[kVectors];
  Row<kVectors>::load(p.sum + at, lane, row);
  Row<kVectors>::normalise(row, p.statistics[token], p.gamma, p.beta, lane);
  if (p.normalize) scale_to_unit_length<kVectors>(row);
  Row<kVectors>::store(p.out + at, lane, row);
}

}  // namespace gteway::cuda
