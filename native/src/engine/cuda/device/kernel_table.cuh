// The kernels of one model: chosen once, by its 16-bit type, its head size and its width.
#pragma once

#include <string>

#include "engine/cuda/abi.h"
#include "engine/cuda/device/attention.cuh"
#include "engine/cuda/device/failure.cuh"
#include "engine/cuda/device/gemm.cuh"
#include "engine/cuda/device/layer_norm.cuh"
#include "engine/cuda/device/pooling.cuh"

namespace gteway::cuda {

struct GemmKernel {
  void (*run)(GemmArguments) = nullptr;
  uint32_t tile_rows = 0, tile_columns = 0, threads = 0, shared_bytes = 0;
};

constexpr size_t kEpilogues = 4;

struct KernelTable {
  GemmKernel large[kEpilogues];  // by Epilogue
  GemmKernel small[kEpilogues];
  void (*attend)(AttentionArguments) = nullptr;
  uint32_t attention_shared_bytes = 0;
  void (*embed_tokens)(EmbeddingArguments) = nullptr;
  void (*layer_norm)(NormArguments) = nullptr;
  void (*pool_sequences)(PoolArguments) = nullptr;
  uint32_t pool_shared_bytes = 0;
  void (*finish_tokens)(PoolArguments) = nullptr;
};

template <class T, class Tile, Epilogue kEpilogue>
GemmKernel gemm_kernel() {
  return {&gemm<T, Tile, kEpilogue>, Tile::kRows, Tile::kColumns, Tile::kThreads, Tile::kSharedBytes};
}

template <class T, class Tile>
void set_gemm_kernels(GemmKernel (&kernels)[kEpilogues]) {
  kernels[0] = gemm_kernel<T, Tile, Epilogue::kPlain>();
  kernels[1] = gemm_kernel<T, Tile, Epilogue::kGeluErf>();
  kernels[2] = gemm_kernel<T, Tile, Epilogue::kGeluTanh>();
  kernels[3] = gemm_kernel<T, Tile, Epilogue::kResidual>();
}

template <class T, uint32_t kVectors>
void set_row_kernels(KernelTable& table) {
  table.embed_tokens = &embed_tokens<T, kVectors>;
  table.layer_norm = &layer_norm<T, kVectors>;
  table.pool_sequences = &pool_sequences<kVectors>;
  table.pool_shared_bytes = pool_shared_bytes<kVectors>();
  table.finish_tokens = &finish_tokens<kVectors>;
}

template <class T>
KernelTable kernels_of_type(uint32_t hidden, uint32_t head_size) {
  KernelTable table;
  set_gemm_kernels<T, LargeTile>(table.large);
  set_gemm_kernels<T, SmallTile>(table.small);
  if (head_size == 32) {
    table.attend = &attend<T, 32>;
    table.attention_shared_bytes = attention_shared_bytes<32>();
  } else if (head_size == 64) {
    table.attend = &attend<T, 64>;
    table.attention_shared_bytes = attention_shared_bytes<64>();
  }
  switch (hidden) {
    case 128:
      set_row_kernels<T, 1>(table);
      break;
    case 256:
      set_row_kernels<T, 2>(table);
      break;
    case 384:
      set_row_kernels<T, 3>(table);
      break;
    case 512:
      set_row_kernels<T, 4>(table);
      break;
    case 768:
      set_row_kernels<T, 6>(table);
      break;
    case 1024:
      set_row_kernels<T, 8>(table);
      break;
    default:
      break;
  }
  return table;
}

// Throws Failure: kGtewayCudaUnsupported.
inline KernelTable kernels_for(const GtewayCudaConfig& config) {
  const auto unsupported = [](const std::string& what) { throw Failure(kGtewayCudaUnsupported, what); };
  if (config.heads == 0 || config.hidden % config.heads != 0)
    unsupported("hidden size is no multiple of heads");
  const uint32_t head_size = config.hidden / config.heads;
  const KernelTable table = config.type == kGtewayCudaBf16 ? kernels_of_type<Bf16>(config.hidden, head_size)
                                                           : kernels_of_type<Fp16>(config.hidden, head_size);
  if (table.embed_tokens == nullptr)
    unsupported("hidden size " + std::to_string(config.hidden) + ": not 128, 256, 384, 512, 768 or 1024");
  if (table.attend == nullptr) unsupported("head size " + std::to_string(head_size) + ": not 32 or 64");
  if (config.intermediate == 0 || config.intermediate % 128 != 0)
    unsupported("intermediate size " + std::to_string(config.intermediate) + ": no multiple of 128");
  return table;
}

// Kernels that take more shared memory than they get unasked. Once for each device.
inline void allow_shared_memory(const KernelTable& table) {
  const auto allow = [](auto* kernel, uint32_t bytes) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "a kernel's shared memory of " + std::to_string(bytes) + " bytes", kGtewayCudaDeviceUnavailable);
  };
  for (const auto* kernels : {table.large, table.small})
    for (size_t i = 0; i < kEpilogues; ++i) allow(kernels[i].run, kernels[i].shared_bytes);
  allow(table.attend, table.attention_shared_bytes);
  allow(table.pool_sequences, table.pool_shared_bytes);
}

}  // namespace gteway::cuda
