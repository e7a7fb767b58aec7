#include "engine/ort/ort_status.hpp"

#include "engine/ort/ort_api.hpp"
#include "engine/ort/ort_cuda.hpp"
#include "engine/ort/ort_handles.hpp"

namespace gteway::ort {
namespace {

std::vector<std::string> available_providers() {
  char** names = nullptr;
  int count = 0;
  check(api().GetAvailableProviders(&names, &count), ErrorCode::kInternal, "list execution providers");
  std::vector<std::string> providers(names, names + count);
  check(api().ReleaseAvailableProviders(names, count), ErrorCode::kInternal, "free the list of providers");
  return providers;
}

}  // namespace

RuntimeStatus runtime_status(const std::string& path) {
  RuntimeStatus status{open_library(path).version, available_providers(), std::nullopt};
  try {
    make_cuda_options(0, 0);
  } catch (const Error& error) {
    if (error.code != ErrorCode::kDeviceUnavailable) throw;
    status.no_cuda = error.what();
  }
  return status;
}

}  // namespace gteway::ort
