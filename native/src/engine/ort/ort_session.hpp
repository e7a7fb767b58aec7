// Opening a model with ONNX Runtime, so that nobody who changes his mind has to wait for it.
#pragma once

#include <cstddef>
#include <string>

#include "base/stop.hpp"
#include "engine/ort/ort_handles.hpp"

namespace gteway::ort {

// `path` in UTF-8; `threads` is how many a run is shared among. `cuda` null: on the CPU. Throws
// Error{kModelInvalid} with ONNX Runtime's words, Error{kDeviceUnavailable}; Error{kAborted} at once when
// `stop` is set: ONNX Runtime, which looks at its cancellation flag between some of its steps but not while
// it parses a file (1.5 s for one of 1.3 GB), is then left to end by itself on a thread of its own.
SessionPtr open_session(const std::string& path, size_t threads, const OrtCUDAProviderOptionsV2* cuda,
                        const StopFlag& stop);

// Waits until nothing is being opened any more. For the end of the process, whose static objects ONNX Runtime
// uses.
void wait_for_openings() noexcept;

}  // namespace gteway::ort
