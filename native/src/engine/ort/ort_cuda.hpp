// ONNX Runtime's CUDA execution provider: whether it loads, and its options.
#pragma once

#include <cstdint>
#include <string>

#include "engine/ort/ort_handles.hpp"

namespace gteway::ort {

// Options for the provider, which was really appended to a trial session first: the list of "available"
// providers names CUDA also where its libraries cannot be loaded. Throws Error{kDeviceUnavailable} naming the
// library that is missing. `memory_limit` in bytes, 0 for none.
CudaOptionsPtr make_cuda_options(int device_id, uint64_t memory_limit);

}  // namespace gteway::ort
