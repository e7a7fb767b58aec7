// Owning pointers for ONNX Runtime's handles: the release function is the type, and a handle is one pointer
// wide.
#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "engine/ort/ort_api.hpp"

namespace gteway::ort {

template <auto Release>
struct Deleter {
  template <class T>
  void operator()(T* handle) const noexcept {
    (api().*Release)(handle);
  }
};

using StatusPtr = std::unique_ptr<OrtStatus, Deleter<&OrtApi::ReleaseStatus>>;
using SessionPtr = std::unique_ptr<OrtSession, Deleter<&OrtApi::ReleaseSession>>;
using SessionOptionsPtr = std::unique_ptr<OrtSessionOptions, Deleter<&OrtApi::ReleaseSessionOptions>>;
using RunOptionsPtr = std::unique_ptr<OrtRunOptions, Deleter<&OrtApi::ReleaseRunOptions>>;
using ValuePtr = std::unique_ptr<OrtValue, Deleter<&OrtApi::ReleaseValue>>;
using TypeInfoPtr = std::unique_ptr<OrtTypeInfo, Deleter<&OrtApi::ReleaseTypeInfo>>;
using ShapeInfoPtr =
    std::unique_ptr<OrtTensorTypeAndShapeInfo, Deleter<&OrtApi::ReleaseTensorTypeAndShapeInfo>>;
using MemoryInfoPtr = std::unique_ptr<OrtMemoryInfo, Deleter<&OrtApi::ReleaseMemoryInfo>>;
using CudaOptionsPtr =
    std::unique_ptr<OrtCUDAProviderOptionsV2, Deleter<&OrtApi::ReleaseCUDAProviderOptions>>;

// Throws Error{code, "<doing>: <ONNX Runtime's words>"} for a status that is not success.
inline void check(OrtStatus* raw, ErrorCode code, const std::string& doing) {
  if (raw == nullptr) return;
  const StatusPtr status(raw);
  throw Error(code, doing + ": " + api().GetErrorMessage(status.get()));
}

}  // namespace gteway::ort
