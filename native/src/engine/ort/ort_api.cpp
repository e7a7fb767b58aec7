#include "engine/ort/ort_api.hpp"

#include <atomic>
#include <charconv>
#include <memory>
#include <mutex>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/shared_library.hpp"

namespace gteway::ort {
namespace {

constexpr uint32_t kOldestApi = 22;
constexpr uint32_t kNewestApi = 30;  // the newest that was tried; a newer library is asked for this one

struct OrtApiBase {
  const void* const* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

std::atomic<const Library*> opened{nullptr};

[[noreturn]] void unavailable(const std::string& message) {
  throw Error(ErrorCode::kRuntimeUnavailable, message);
}

void forward_log(void*, int severity, const char* category, const char*, const char*, const char* message) {
  log(static_cast<LogLevel>(severity), category, message);
}

// "1.30.0" → 30. ONNX Runtime 1.N offers API versions up to N.
uint32_t newest_api_of(const std::string& version, const std::string& path) {
  uint32_t minor = 0;
  const char* end = version.data() + version.size();
  const bool parsed =
      version.starts_with("1.") && std::from_chars(version.data() + 2, end, minor).ec == std::errc();
  if (!parsed || minor < kOldestApi)
    unavailable("ONNX Runtime " + version + " at " + path + " is not supported: gteway needs 1." +
                std::to_string(kOldestApi) + " or a later 1.x");
  return minor;
}

Library* open(const std::string& path) {
  std::string reason;
  void* handle = open_shared_library(path, reason);
  if (handle == nullptr) unavailable("ONNX Runtime's shared library could not be opened: " + reason);
  const auto get_base =
      reinterpret_cast<const OrtApiBase* (*)()>(shared_library_symbol(handle, "OrtGetApiBase"));
  if (get_base == nullptr) unavailable(path + " is not ONNX Runtime: it does not export OrtGetApiBase");

  auto result = std::make_unique<Library>();
  result->path = path;
  result->version = get_base()->GetVersionString();
  // GetApi prints to stderr when asked for more than it has, hence the version first.
  const uint32_t newest = newest_api_of(result->version, path);
  const void* const* table = get_base()->GetApi(newest < kNewestApi ? newest : kNewestApi);
  if (table == nullptr)
    unavailable("ONNX Runtime " + result->version + " at " + path + " refused its own API version");
#define GTEWAY_ORT_BIND(slot, name, ret, parameters) \
  result->api.name = reinterpret_cast<ret(*) parameters>(const_cast<void*>(table[slot]));
  GTEWAY_ORT_FUNCTIONS(GTEWAY_ORT_BIND)
#undef GTEWAY_ORT_BIND

  // The environment is a singleton inside ONNX Runtime too: when onnxruntime-node made one first, this is
  // that one, with its logger. Sessions therefore set their own severity as well.
  if (OrtStatus* status =
          result->api.CreateEnvWithCustomLogger(&forward_log, nullptr, kWarning, "gteway", &result->env))
    unavailable(std::string("ONNX Runtime could not start: ") + result->api.GetErrorMessage(status));
  if (OrtStatus* status = result->api.DisableTelemetryEvents(result->env)) result->api.ReleaseStatus(status);
  return result.release();
}

}  // namespace

const Library& open_library(const std::string& path) {
  static std::mutex& mutex =
      *new std::mutex;  // never destroyed: a model may be loading while the process exits
  const std::lock_guard lock(mutex);
  const Library* current = opened.load(std::memory_order_acquire);
  if (current == nullptr) {
    current = open(path);
    opened.store(current, std::memory_order_release);
  } else if (current->path != path) {
    unavailable("ONNX Runtime was already opened from " + current->path + "; one process cannot open " +
                path + " as well. Set GTEWAY_ORT_LIBRARY before the first session is made");
  }
  return *current;
}

const Library& library() noexcept { return *opened.load(std::memory_order_acquire); }

}  // namespace gteway::ort
