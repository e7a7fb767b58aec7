// The engine that runs BERT-shaped encoders on a CUDA device, through libgteway_cuda. Never run on a GPU so
// far: its kernels were only checked in an emulation, so no automatic choice may lead here.
#pragma once

#include <memory>
#include <string>

#include "base/stop.hpp"
#include "engine/cuda/cuda_library.hpp"
#include "engine/engine.hpp"
#include "model/encoder_weights.hpp"

namespace gteway::cuda {

struct CudaOptions {
  std::string dtype = "bf16";  // or "fp16"; sums, residuals and vectors are float32
  int device_id = 0;
  size_t max_batch_tokens = 0;  // 0: the library's choice
};

// Copies the weights to the device, runs a few texts there and compares with reference_encode(). Afterwards
// nothing of `weights` is referred to. Throws Error: kModelUnsupported (a shape or dtype it has no kernels
// for), kDeviceUnavailable, kOutOfMemory (not even the longest text fits), kInferenceFailed (the device's
// vectors are not those of the model), kAborted (soon after `stop`: between the pieces that are copied).
std::unique_ptr<Engine> make_cuda_encoder(const EncoderWeights& weights, const GtewayCudaApi& api,
                                          const CudaOptions& options, const StopFlag& stop = StopFlag());

}  // namespace gteway::cuda
