// From a model's files to an encoder on a CUDA device.
#pragma once

#include <memory>

#include "engine/engine.hpp"
#include "engine/factory.hpp"

namespace gteway::cuda {

// Reads the weights, opens the library and makes the engine. Throws what read_encoder(), open_cuda_library()
// and make_cuda_encoder() throw.
std::unique_ptr<Engine> load_cuda_encoder(const EngineOptions& options);

}  // namespace gteway::cuda
