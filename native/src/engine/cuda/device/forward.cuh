// The encoder, as a sequence of kernels on a stream.
#pragma once

#include "engine/cuda/device/kernel_table.cuh"
#include "engine/cuda/device/parameters.cuh"
#include "engine/cuda/device/plan.hpp"

namespace gteway::cuda {

// Told of every kernel before and after it is put on the stream: to time them one by one.
class Probe {
 public:
  virtual ~Probe() = default;
  virtual void before(const char* kernel, cudaStream_t stream) = 0;
  virtual void after(const char* kernel, cudaStream_t stream) = 0;
};

// A batch on the device, and how large the launches for it must be. In a graph the sizes are the largest that
// its class of lengths has.
struct DeviceBatch {
  const BatchHeader* header;
  const uint32_t* offsets;
  const int32_t* ids;
  const uint32_t* positions;
  const AttentionItem* items;
  uint32_t most_tokens;
  uint32_t most_sequences;
  uint32_t attention_blocks;
};

struct Finish {
  GtewayCudaPooling pooling;
  bool normalize;
};

class Forward {
 public:
  Forward(const GtewayCudaConfig& config, const KernelTable& kernels, const Parameters& parameters,
          uint32_t processors, unsigned char* workspace, uint32_t workspace_tokens, cudaStream_t stream,
          Probe* probe = nullptr)
      : config_(config),
        kernels_(kernels),
        parameters_(parameters),
        processors_(processors),
        stream_(stream),
        probe_(probe) {
    const WorkspaceLayout at = WorkspaceLayout::of(workspace_tokens, config.hidden, config.intermediate);
    sum_ = reinterpret_cast<float*>(workspace + at.sum);
    statistics_ = reinterpret_cast<float2*>(workspace + at.statistics);
    x_ = reinterpret_cast<uint16_t*>(workspace + at.x);
    qkv_ = reinterpret_cast<uint16_t*>(workspace + at.qkv);
    context_ = reinterpret_cast<uint16_t*>(workspace + at.context);
    inner_ = reinterpret_cast<uint16_t*>(workspace + at.inner);
    out_ = reinterpret_cast<float*>(workspace + at.out);
  }

  // Puts everything on the stream. Returns where the rows will be: [sequences or tokens, hidden].
  const float* run(const DeviceBatch& batch, Finish finish, uint32_t layers) {
    const uint32_t row_blocks = divide_up(batch.most_tokens, kRowsPerBlock);
    NormArguments norm = {batch.header,
                          sum_,
                          statistics_,
                          parameters_.floats(kGtewayCudaEmbeddingGamma),
                          parameters_.floats(kGtewayCudaEmbeddingBeta),
                          config_.layer_norm_epsilon,
                          x_};
    start("embed_tokens", kernels_.embed_tokens, row_blocks, kRowKernelThreads, 0,
          EmbeddingArguments{norm, batch.ids, batch.positions, parameters_.floats(kGtewayCudaWords),
                             parameters_.floats(kGtewayCudaPositions)});

    const uint32_t head_size = config_.hidden / config_.heads;
    // Scores are scaled by 1/√head_size; exponentials are powers of two.
    const float scale = 1.44269504088896341F / sqrtf(static_cast<float>(head_size));
    const Epilogue gelu = config_.gelu_tanh != 0 ? Epilogue::kGeluTanh : Epilogue::kGeluErf;
    for (uint32_t layer = 0; layer < layers; ++layer) {
      multiply("qkv", batch, Epilogue::kPlain, x_, kGtewayCudaQkv, layer, 3 * config_.hidden, config_.hidden,
               qkv_, norm);
      start("attend", kernels_.attend, batch.attention_blocks, kAttentionThreads,
            kernels_.attention_shared_bytes,
            AttentionArguments{batch.header, batch.items, qkv_, config_.heads, scale, context_});
      multiply("attention_output", batch, Epilogue::kResidual, context_, kGtewayCudaAttentionOutput, layer,
               config_.hidden, config_.hidden, nullptr, norm);
      norm.gamma = parameters_.floats(kGtewayCudaAttentionGamma, layer);
      norm.beta = parameters_.floats(kGtewayCudaAttentionBeta, layer);
      start("layer_norm", kernels_.layer_norm, row_blocks, kRowKernelThreads, 0, norm);

      multiply("up", batch, gelu, x_, kGtewayCudaUp, layer, config_.intermediate, config_.hidden, inner_,
               norm);
      multiply("down", batch, Epilogue::kResidual, inner_, kGtewayCudaDown, layer, config_.hidden,
               config_.intermediate, nullptr, norm);
      norm.gamma = parameters_.floats(kGtewayCudaOutputGamma, layer);
      norm.beta = parameters_.floats(kGtewayCudaOutputBeta, layer);
      start("layer_norm", kernels_.layer_norm, row_blocks, kRowKernelThreads, 0, norm);
    }

    const PoolArguments pool = {batch.header,
                                batch.offsets,
                                sum_,
                                statistics_,
                                norm.gamma,
                                norm.beta,
                                finish.pooling == kGtewayCudaMean,
                                finish.normalize,
                                out_};
    if (finish.pooling == kGtewayCudaNone)
      start("finish_tokens", kernels_.finish_tokens, row_blocks, kRowKernelThreads, 0, pool);
    else
      start("pool_sequences", kernels_.pool_sequences, batch.most_sequences, kPoolThreads,
            kernels_.pool_shared_bytes, pool);
    return out_;
  }

 private:
  template <class Arguments>
  void start(const char* name, void (*kernel)(Arguments), uint32_t blocks, uint32_t threads,
             uint32_t shared_bytes, const Arguments& arguments) {
    if (probe_ != nullptr) probe_->before(name, stream_);
    check(launch(kernel, blocks, threads, shared_bytes, stream_, arguments), std::string("starting ") + name,
          kGtewayCudaDeviceLost);
    if (probe_ != nullptr) probe_->after(name, stream_);
  }

  // `weight` is followed by its bias in the list of parameters.
  void multiply(const char* name, const DeviceBatch& batch, Epilogue epilogue, const uint16_t* x,
                int32_t weight, uint32_t layer, uint32_t columns, uint32_t depth, uint16_t* out,
                const NormArguments& norm) {
    // Large tiles move fewer bytes, but only where they are enough for every processor to have one. Both give
    // the same bits.
    const auto blocks = [&](const GemmKernel& kernel) {
      return gemm_blocks(batch.most_tokens, columns, kernel.tile_rows, kernel.tile_columns);
    };
    const auto index = static_cast<size_t>(epilogue);
    const GemmKernel& kernel =
        blocks(kernels_.large[index]) >= processors_ ? kernels_.large[index] : kernels_.small[index];
    const GemmArguments arguments = {batch.header,
                                     x,
                                     parameters_.halves(weight, layer),
                                     parameters_.floats(weight + 1, layer),
                                     columns,
                                     depth,
                                     out,
                                     sum_,
                                     statistics_,
                                     norm.gamma,
                                     norm.beta};
    start(name, kernel.run, blocks(kernel), kernel.threads, kernel.shared_bytes, arguments);
  }

  const GtewayCudaConfig& config_;
  const KernelTable& kernels_;
  const Parameters& parameters_;
  uint32_t processors_;
  cudaStream_t stream_;
  Probe* probe_;
  float* sum_;
  float2* statistics_;
  uint16_t* x_;
  uint16_t* qkv_;
  uint16_t* context_;
  uint16_t* inner_;
  float* out_;
};

}  // namespace gteway::cuda
