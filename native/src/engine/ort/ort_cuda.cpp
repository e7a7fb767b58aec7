#include "engine/ort/ort_cuda.hpp"

#include <filesystem>
#include <vector>

namespace gteway::ort {
namespace {

#if defined(__linux__)
// The loader's words contain "libX.so.N: cannot open shared object file" for the library that is really
// missing, which is often not the one that was asked for.
std::string missing_library(const std::string& words) {
  const size_t end = words.find(": cannot open shared object file");
  if (end == std::string::npos) return {};
  const size_t begin = words.find_last_of(" \"'(/", end - 1);
  return words.substr(begin == std::string::npos ? 0 : begin + 1,
                      end - (begin == std::string::npos ? 0 : begin + 1));
}
#endif

std::string explain(const std::string& words) {
#if defined(__linux__)
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(library().path).parent_path();
  for (const char* name : {"libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"})
    if (std::error_code ignored; !fs::exists(folder / name, ignored))
      return std::string(name) + " is missing beside " + library().path +
             "; onnxruntime-node's install step fetches it (on linux/x64): run `npm rebuild "
             "onnxruntime-node` without "
             "ONNXRUNTIME_NODE_INSTALL=skip, or point GTEWAY_ORT_LIBRARY at a build with CUDA";
  if (const std::string name = missing_library(words); !name.empty())
    return name + " is missing: install the CUDA and cuDNN libraries that ONNX Runtime " + library().version +
           " wants, and put them on the loader's path";
#endif
  return words;
}

}  // namespace

CudaOptionsPtr make_cuda_options(int device_id, uint64_t memory_limit) {
  constexpr ErrorCode kCode = ErrorCode::kDeviceUnavailable;
  OrtCUDAProviderOptionsV2* raw = nullptr;
  try {
    check(api().CreateCUDAProviderOptions(&raw), kCode, "make CUDA options");
    CudaOptionsPtr cuda(raw);
    const std::string id = std::to_string(device_id), limit = std::to_string(memory_limit);
    std::vector<const char*> keys = {"device_id"}, values = {id.c_str()};
    if (memory_limit > 0) {
      keys.push_back("gpu_mem_limit");
      values.push_back(limit.c_str());
    }
    check(api().UpdateCUDAProviderOptions(cuda.get(), keys.data(), values.data(), keys.size()), kCode,
          "set CUDA options");
    OrtSessionOptions* raw_options = nullptr;
    check(api().CreateSessionOptions(&raw_options), ErrorCode::kInternal, "create session options");
    const SessionOptionsPtr trial(raw_options);
    check(api().SessionOptionsAppendExecutionProvider_CUDA_V2(trial.get(), cuda.get()), kCode,
          "load the CUDA provider");
    return cuda;
  } catch (const Error& error) {
    throw Error(kCode, "device cuda:" + std::to_string(device_id) +
                           " cannot be used with ONNX Runtime: " + explain(error.what()));
  }
}

}  // namespace gteway::ort
