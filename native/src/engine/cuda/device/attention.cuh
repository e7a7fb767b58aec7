// softmax(Q Kᵀ / √head_size) V of ragged sequences, on the tensor cores, without ever writing the scores:
// keys pass by 64 at a time, and each row's maximum and sum are corrected as they become known (Milakov &
// Gimelshein 2018, "Online normalizer calculation for softmax"; Dao 2023, "FlashAttention-2").
//
// A block has 64 rows, a warp 16 of them. Of a sequence longer than 32 tokens they are 64 queries of one
// head; of shorter ones 32 queries of two heads, or 16 of four, so that short texts leave no warp idle. How a
// sequence is cut depends on its own length alone.
#pragma once

#include "engine/cuda/device/batch.cuh"
#include "engine/cuda/device/layout.cuh"
#include "engine/cuda/device/number.cuh"
#include "engine/cuda/device/platform.cuh"
#include "engine/cuda/device/tensor_core.cuh"

namespace gteway::cuda {

struct AttentionArguments {
  const BatchHeader* batch;
  const AttentionItem* items;
  const uint16_t* qkv;  // [tokens, 3 × hidden]: queries, keys, values
  uint32_t heads;
  float scale;    // log2(e) / √head_size
  uint16_t* out;  // [tokens, hidden]
};

constexpr uint32_t kAttentionThreads = 128;

template <uint32_t kHeadSize>
constexpr uint32_t attention_shared_bytes() {
  return 5 * 64 * kHeadSize * 2;  // queries; keys and values, twice
}

// Heads of one item that share a block, and blocks that an item takes.
__host__ __device__ constexpr uint32_t heads_per_block(uint32_t row_class) {
  return 64 / rows_of_class(row_class);
}
__host__ __device__ constexpr uint32_t blocks_per_item(uint32_t row_class, uint32_t heads) {
  return divide_up(heads, heads_per_block(row_class));
}
__host__ __device__ constexpr uint32_t attention_blocks(const BatchHeader& batch, uint32_t heads) {
  uint32_t blocks = 0;
  for (uint32_t c = 0; c < kRowClasses; ++c) blocks += batch.items[c] * blocks_per_item(c, heads);
  return blocks;
}

struct AttentionBlock {
  uint32_t row_class;  // kRowClasses: nothing to do
  uint32_t item;
  uint32_t first_head;
};

__host__ __device__ constexpr AttentionBlock attention_block(const BatchHeader& batch, uint32_t heads,
                                                             uint32_t block) {
  uint32_t item = 0;
  for (uint32_t c = 0; c < kRowClasses; ++c) {
    const uint32_t each = blocks_per_item(c, heads), blocks = batch.items[c] * each;
    if (block < blocks) return {c, item + block / each, block % each * heads_per_block(c)};
    block -= blocks;
    item += batch.items[c];
  }
  return {kRowClasses, 0, 0};
}

template <class T, uint32_t kHeadSize, uint32_t kRows>
struct Attention {
  static constexpr uint32_t kChunks = kHeadSize / 8;
  static constexpr uint32_t kTileBytes = 64 * kHeadSize * 2;
  static constexpr uint32_t kKeys = kRows;  // a tile of them, of each head
  static constexpr uint32_t kKeyTiles = kKeys / 8;
  static constexpr uint32_t kOutTiles = kHeadSize / 8;

  // Rows [first, first + kRows) of the sequence, of the block's heads, into 64 rows of shared memory.
  // `matrix` is 0, 1, 2: queries, keys, values. Rows past the sequence's end become zeros.
  static __device__ void load(const AttentionArguments& a, unsigned char* tile, uint32_t matrix,
                              const AttentionItem& item, uint32_t first, uint32_t first_head) {
    constexpr uint32_t kPerThread = 64 * kChunks / kAttentionThreads;
    const uint32_t hidden = a.heads * kHeadSize;
    GTEWAY_UNROLL
    for (uint32_t i = 0; i < kPerThread; ++i) {
      const uint32_t index = i * kAttentionThreads + threadIdx.x;
      const uint32_t row = index / kChunks, chunk = index % kChunks;
      const uint32_t head = first_head + row / kRows, token = first + row % kRows;
      const bool valid = head < a.heads && token < item.length;
      const uint64_t from = valid ? static_cast<uint64_t>(item.first_token + token) * (3 * hidden) +
                                        matrix * hidden + head * kHeadSize + chunk * 8
                                  : 0;
      copy_async(tile + swizzle<kChunks>(row, chunk), a.qkv + from, valid);
    }
  }

  static __device__ void run(const AttentionArguments& a, const AttentionItem& item, uint32_t first_head) {
    unsigned char* const shared = shared_memory();
    unsigned char* const queries = shared;
    const auto keys = [shared](uint32_t stage) { return shared + (1 + stage * 2) * kTileBytes; };
    const auto values = [shared](uint32_t stage) { return shared + (2 + stage * 2) * kTileBytes; };

    const uint32_t lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const uint32_t warp_row = warp * 16;                 // of the block's 64
    const uint32_t head_row = warp_row / kRows * kRows;  // where its head's keys begin in a tile
    const uint32_t first_query = item.first_query + warp_row % kRows;
    const bool busy = first_query < item.length && first_head + warp_row / kRows < a.heads;

    load(a, queries, 0, item, item.first_query, first_head);
    load(a, keys(0), 1, item, 0, first_head);
    load(a, values(0), 2, item, 0, first_head);
    commit_copies();

    uint32_t q[kHeadSize / 16][4];
    float out[kOutTiles][4];
    float maximum[2], sum[2];
    GTEWAY_UNROLL
    for (uint32_t d = 0; d < kOutTiles; ++d) GTEWAY_UNROLL
    for (uint32_t r = 0; r < 4; ++r) out[d][r] = 0;
    GTEWAY_UNROLL
    for (uint32_t half = 0; half < 2; ++half) {
      maximum[half] = -INFINITY;
      sum[half] = 0;
    }

    const uint32_t tiles = divide_up(item.length, kKeys);
    for (uint32_t t = 0; t < tiles; ++t) {
      if (t + 1 < tiles) {
        load(a, keys((t + 1) % 2), 1, item, (t + 1) * kKeys, first_head);
        load(a, values((t + 1) % 2), 2, item, (t + 1) * kKeys, first_head);
      }
      commit_copies();
      wait_for_copies<1>();
      __syncthreads();  // tile t is here
      if (busy) {
        if (t == 0) {
          const Place place = a_fragment_source(lane);
          GTEWAY_UNROLL
          for (uint32_t k = 0; k < kHeadSize / 16; ++k)
            load_matrices(q[k], queries + swizzle<kChunks>(warp_row + place.row, k * 2 + place.chunk));
        }
        step(a.scale, keys(t % 2), values(t % 2), head_row, item.length - t * kKeys, lane, q, out, maximum,
             sum);
      }
      __syncthreads();  // and everyone is done with it: the next but one takes its place
    }
    if (!busy) return;

    GTEWAY_UNROLL
    for (uint32_t half = 0; half < 2; ++half) {
      // The four lanes of a row each have the sum over their own keys.
      float total = sum[half];
      total += __shfl_xor_sync(kAllLanes, total, 1);
      total += __shfl_xor_sync(kAllLanes, total, 2);
      const float scale = 1.0F / total;
      GTEWAY_UNROLL
      for (uint32_t d = 0; d < kOutTiles; ++d) {
        out[d][half * 2] *= scale;
        out[d][half * 2 + 1] *= scale;
      }
    }

    // Through the warp's own rows of the queries' tile, which only it reads, so that whole sectors leave.
    __syncwarp();
    GTEWAY_UNROLL
    for (uint32_t d = 0; d < kOutTiles; ++d) GTEWAY_UNROLL
    for (uint32_t half = 0; half < 2; ++half)
      *reinterpret_cast<uint32_t*>(
          queries + swizzle<kChunks>(warp_row + accumulator_row(lane) + half * 8, d) +
          accumulator_column(lane) * 2) = pack<T>(out[d][half * 2], out[d][half * 2 + 1]);
    __syncwarp();
    const uint32_t column = (first_head + warp_row / kRows) * kHeadSize;
    GTEWAY_UNROLL
    for (uint32_t i = 0; i < 16 * kChunks / kWarp; ++i) {
      const uint32_t row = (i * kWarp + lane) / kChunks, chunk = (i * kWarp + lane) % kChunks;
      if (first_query + row >= item.length) continue;
      const uint64_t token = item.first_token + first_query + row;
      *reinterpret_cast<uint4*>(a.out + token * (a.heads * kHeadSize) + column + chunk * 8) =
          *reinterpret_cast<const uint4*>(queries + swizzle<kChunks>(warp_row + row, chunk));
    }
  }

 private:
  // A warp's 16 queries meet one tile of keys, of which the first `left` exist.
  static __device__ void step(float scale, const unsigned char* keys, const unsigned char* values,
                              uint32_t head_row, uint32_t left, uint32_t lane,
                              const uint32_t (&q)[kHeadSize / 16][4], float (&out)[kOutTiles][4],
                              float (&maximum)[2], float (&sum)[2]) {
    float scores[kKeyTiles][4];
    GTEWAY_UNROLL
    for (uint32_t j = 0; j < kKeyTiles; ++j) GTEWAY_UNROLL
    for (uint32_t r = 0; r < 4; ++r) scores[j][r] = 0;

    const Place key_place = b_fragment_source(lane);
    GTEWAY_UNROLL
    for (uint32_t k = 0; k < kHeadSize / 16; ++k) GTEWAY_UNROLL
    for (uint32_t j = 0; j < kKeyTiles / 2; ++j) {
      uint32_t b[4];
      load_matrices(b, keys + swizzle<kChunks>(head_row + j * 16 + key_place.row, k * 2 + key_place.chunk));
      multiply_add<T>(scores[j * 2], q[k], b[0], b[1]);
      multiply_add<T>(scores[j * 2 + 1], q[k], b[2], b[3]);
    }
    if (left < kKeys) {
      GTEWAY_UNROLL
      for (uint32_t j = 0; j < kKeyTiles; ++j) GTEWAY_UNROLL
      for (uint32_t r = 0; r < 4; ++r)
        if (j * 8 + accumulator_column(lane) + r % 2 >= left) scores[j][r] = -INFINITY;
    }

    GTEWAY_UNROLL
    for (uint32_t half = 0; half < 2; ++half) {
      float highest = maximum[half];
      GTEWAY_UNROLL
      for (uint32_t j = 0; j < kKeyTiles; ++j)
        highest = fmaxf(highest, fmaxf(scores[j][half * 2], scores[j][half * 2 + 1]));
      highest = fmaxf(highest, __shfl_xor_sync(kAllLanes, highest, 1));
      highest = fmaxf(highest, __shfl_xor_sync(kAllLanes, highest, 2));
      // Every tile has a key, so `highest` is finite (or NaN, which shall be seen in the result).
      const float correction = power_of_two((maximum[half] - highest) * scale);
      const float offset = highest * scale;
      maximum[half] = highest;
      float tile_sum = 0;
      GTEWAY_UNROLL
      for (uint32_t j = 0; j < kKeyTiles; ++j) GTEWAY_UNROLL
      for (uint32_t r = half * 2; r < half * 2 + 2; ++r) {
        scores[j][r] = power_of_two(fmaf(scores[j][r], scale, -offset));
        tile_sum += scores[j][r];
      }
      sum[half] = fmaf(sum[half], correction, tile_sum);
      GTEWAY_UNROLL
      for (uint32_t d = 0; d < kOutTiles; ++d) {
        out[d][half * 2] *= correction;
        out[d][half * 2 + 1] *= correction;
      }
    }

    // The accumulators of two score tiles are, rounded, the fragment of 16 keys' weights.
    const Place value_place = b_transposed_fragment_source(lane);
    GTEWAY_UNROLL
    for (uint32_t k = 0; k < kKeys / 16; ++k) {
      const uint32_t weights[4] = {pack<T>(scores[k * 2][0], scores[k * 2][1]),
                                   pack<T>(scores[k * 2][2], scores[k * 2][3]),
                                   pack<T>(scores[k * 2 + 1][0], scores[k * 2 + 1][1]),
                                   pack<T>(scores[k * 2 + 1][2], scores[k * 2 + 1][3])};
      GTEWAY_UNROLL
      for (uint32_t d = 0; d < kOutTiles / 2; ++d) {
        uint32_t b[4];
        load_matrices_transposed(
            b, values + swizzle<kChunks>(head_row + k * 16 + value_place.row, d * 2 + value_place.chunk));
        multiply_add<T>(out[d * 2], weights, b[0], b[1]);
        multiply_add<T>(out[d * 2 + 1], weights, b[2], b[3]);
      }
    }
  }
};

template <class T, uint32_t kHeadSize>
__global__ void __launch_bounds__(kAttentionThreads) attend(const AttentionArguments a) {
  const AttentionBlock block = attention_block(*a.batch, a.heads, blockIdx.x);
  if (block.row_class == kRowClasses) return;
  const AttentionItem item = a.items[block.item];
  if (block.row_class == 0)
    Attention<T, kHeadSize, 64>::run(a, item, block.first_head);
  else if (block.row_class == 1)
    Attention<T, kHeadSize, 32>::run(a, item, block.first_head);
  else
    Attention<T, kHeadSize, 16>::run(a, item, block.first_head);
}

}  // namespace gteway::cuda
