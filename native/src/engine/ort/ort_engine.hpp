// The engine that runs any BERT-like ONNX model with ONNX Runtime, on the CPU or through its CUDA provider.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/factory.hpp"

namespace gteway::ort {

// See make_engine().
std::unique_ptr<Engine> make_ort_engine(const EngineOptions& options, std::vector<Fallback>& fallbacks);

}  // namespace gteway::ort
