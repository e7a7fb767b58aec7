#include "engine/cuda/cuda_loading.hpp"

#include "base/memory.hpp"
#include "engine/cuda/cuda_engine.hpp"
#include "engine/cuda/cuda_library.hpp"
#include "model/read_encoder.hpp"

namespace gteway::cuda {

std::unique_ptr<Engine> load_cuda_encoder(const EngineOptions& options) {
  const GtewayCudaApi& api = open_cuda_library(options.cuda_library);
  const EncoderWeights weights = read_encoder(options.model_path, options.config_path, options.stop);
  std::unique_ptr<Engine> engine = make_cuda_encoder(
      weights, api,
      {.dtype = options.dtype, .device_id = options.device_id, .max_batch_tokens = options.max_batch_tokens},
      *options.stop);
  weights.check_unchanged();
  return_freed_memory();
  return engine;
}

}  // namespace gteway::cuda
