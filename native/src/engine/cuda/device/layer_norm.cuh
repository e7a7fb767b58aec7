// The residual stream and its LayerNorms. In a post-norm encoder what is added to is itself the result of a
// LayerNorm; here that result is never written in float32. Kept are the sum it was applied to, and of each
// row the mean and 1/√(variance + epsilon): whoever needs the result computes it (`normalised`). A LayerNorm
// then reads each row once and writes only the 16-bit copy that the next product reads.
//
// One warp has a row in its registers; a row is kVectors × 128 columns.
#pragma once

#include "engine/cuda/device/batch.cuh"
#include "engine/cuda/device/number.cuh"
#include "engine/cuda/device/platform.cuh"

namespace gteway::cuda {

constexpr uint32_t kRowKernelThreads = 128;
constexpr uint32_t kRowsPerBlock = kRowKernelThreads / kWarp;

// x: mean, y: 1 / √(variance + epsilon)
__host__ __device__ inline float normalised(float sum, float2 statistics, float gamma, float beta) {
  return fmaf((sum - statistics.x) * statistics.y, gamma, beta);
}

// The same in every lane; the order is fixed.
__device__ inline float warp_sum(float value) {
  GTEWAY_UNROLL
  for (uint32_t lanes = kWarp / 2; lanes > 0; lanes /= 2) value += __shfl_xor_sync(kAllLanes, value, lanes);
  return value;
}

template <uint32_t kVectors>
struct Row {
  static constexpr uint32_t kColumns = kVectors * 128;

  static __device__ constexpr uint32_t column(uint32_t vector, uint32_t lane) {
    return vector * 128 + lane * 4;
  }

  static __device__ void load(const float* from, uint32_t lane, float4 (&row)[kVectors]) {
    GTEWAY_UNROLL
    for (uint32_t v = 0; v < kVectors; ++v) row[v] = *reinterpret_cast<const float4*>(from + column(v, lane));
  }

  static __device__ void store(float* to, uint32_t lane, const float4 (&row)[kVectors]) {
    GTEWAY_UNROLL
    for (uint32_t v = 0; v < kVectors; ++v) *reinterpret_cast<float4*>(to + column(v, lane)) = row[v];
  }

  static __device__ float2 statistics(const float4 (&row)[kVectors], float epsilon) {
    float sum = 0;
    GTEWAY_UNROLL
    for (uint32_t v = 0; v < kVectors; ++v) sum += (row[v].x + row[v].y) + (row[v].z + row[v].w);
    const float mean = warp_sum(sum) * (1.0F / kColumns);
    float squares = 0;
    GTEWAY_UNROLL
    for (uint32_t v = 0; v < kVectors; ++v) {
      const float x = row[v].x - mean, y = row[v].y - mean, z = row[v].z - mean, w = row[v].w - mean;
      squares += fmaf(x, x, y * y) + fmaf(z, z, w * w);
    }
    const float variance = warp_sum(squares) * (1.0F / kColumns);
    return make_float2(mean, 1.0F / sqrtf(variance + epsilon));
  }

  static __device__ void normalise(float4 (&row)[kVectors], float2 statistics, const float* gamma,
                                   const float* beta, uint32_t lane) {
    GTEWAY_UNROLL
    for (uint32_t v = 0; v < kVectors; ++v) {
      const float4 g = *reinterpret_cast<const float4*>(gamma + column(v, lane));
      const float4 b = *reinterpret_cast<const float4*>(beta + column(v, lane));
      row[v].x = normalised(row[v].x, statistics, g.x, b.x);
      row[v].y = normalised(row[v].y, statistics, g.y, b.y);
      row[v].z = normalised(row[v].z, statistics, g.z, b.z);
      row[v].w = normalised(row[v].w, statistics, g.w, b.w);
    }
  }

  template <class T>
  static __device__ void store_rounded(uint16_t* to, uint32_t lane, const float4 (&row)[kVectors]) {
    GTEWAY_UNROLL
    for (uint32_t v = 0; v < kVectors; ++v)
      *reinterpret_cast<uint2*>(to + column(v, lane)) =
          make_uint2(pack<T>(row[v].x, row[v].y), pack<T>(row[v].z, row[v].w));
  }
};

struct NormArguments {
  const BatchHeader* batch;
  float* sum;          // [tokens, columns]
  float2* statistics;  // [tokens]
  const float* gamma;
  const float* beta;
  float epsilon;
  uint16_t* out;  // [tokens, columns], 16-bit
};

// out = round(norm(sum)); statistics kept.
template <class T, uint32_t kVectors>
__global__ void __launch_bounds__(kRowKernelThreads) layer_norm(const NormArguments n) {
  const uint32_t lane = threadIdx.x % kWarp, token = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarp;
  if (token >= n.batch->tokens) return;
  const uint64_t at = static_cast<uint64_t>(token) * Row<kVectors>::kColumns;
  float4 row[kVectors];
  Row<kVectors>::load(n.sum + at, lane, row);
  const float2 statistics = Row<kVectors>::statistics(row, n.epsilon);
  if (lane == 0) n.statistics[token] = statistics;
  Row<kVectors>::normalise(row, statistics, n.gamma, n.beta, lane);
  Row<kVectors>::template store_rounded<T>(n.out + at, lane, row);
}

struct EmbeddingArguments {
  NormArguments norm;
  const int32_t* ids;
  const uint32_t* positions;      // of each token in its sequence
  const float* words;             // [vocabulary, columns]
  const float* position_vectors;  // [positions, columns]: position + token type 0
};

// sum = words[id] + positions[i]; out = round(norm(sum)); statistics kept.
template <class T, uint32_t kVectors>
__global__ void __launch_bounds__(kRowKernelThreads) embed_tokens(const EmbeddingArguments e) {
  const NormArguments& n = e.norm;
  const uint32_t lane = threadIdx.x % kWarp, token = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarp;
  if (token >= n.batch->tokens) return;
  constexpr uint64_t kColumns = Row<kVectors>::kColumns;
  float4 row[kVectors], position[kVectors];
  Row<kVectors>::load(e.words + static_cast<uint64_t>(e.ids[token]) * kColumns, lane, row);
  Row<kVectors>::load(e.position_vectors + e.positions[token] * kColumns, lane, position);
  GTEWAY_UNROLL
  for (uint32_t v = 0; v < kVectors; ++v) {
    row[v].x += position[v].x;
    row[v].y += position[v].y;
    row[v].z += position[v].z;
    row[v].w += position[v].w;
  }
  Row<kVectors>::store(n.sum + token * kColumns, lane, row);
  const float2 statistics = Row<kVectors>::statistics(row, n.epsilon);
  if (lane == 0) n.statistics[token] = statistics;
  Row<kVectors>::normalise(row, statistics, n.gamma, n.beta, lane);
  Row<kVectors>::template store_rounded<T>(n.out + token * kColumns, lane, row);
}

}  // namespace gteway::cuda
