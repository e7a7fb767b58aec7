// ONNX Runtime's C API, as much of it as gteway uses, without its header.
//
// OrtApi is an append-only table of function pointers: a function keeps its slot for ever, so a slot number
// and a type are all that is needed. The list below is the only place in the repository that knows slots. All
// of them exist since API 22 (ONNX Runtime 1.22), the oldest version accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace gteway::ort {

struct OrtStatus;
struct OrtEnv;
struct OrtSession;
struct OrtSessionOptions;
struct OrtRunOptions;
struct OrtValue;
struct OrtTypeInfo;
struct OrtTensorTypeAndShapeInfo;
struct OrtMemoryInfo;
struct OrtAllocator;
struct OrtCUDAProviderOptionsV2;

// On Windows paths are wchar_t, everywhere else UTF-8.
#ifdef _WIN32
using PathChar = wchar_t;
#else
using PathChar = char;
#endif

enum ElementType : int { kFloat32 = 1, kInt32 = 6, kInt64 = 7, kFloat16 = 10, kBFloat16 = 16 };
enum LoggingLevel : int { kVerbose, kInfo, kWarning, kError, kFatal };
enum GraphOptimizationLevel : int { kOptimizeNone = 0, kOptimizeAll = 99 };
enum AllocatorType : int { kDeviceAllocator = 0, kArenaAllocator = 1 };
enum MemType : int { kMemTypeDefault = 0 };

using LoggingFunction = void (*)(void* param, int severity, const char* category, const char* id,
                                 const char* location, const char* message);

// X(slot, name, return type, parameter types). An OrtStatus* is null for success.
#define GTEWAY_ORT_FUNCTIONS(X)                                                                             \
  X(1, GetErrorCode, int, (const OrtStatus*))                                                               \
  X(2, GetErrorMessage, const char*, (const OrtStatus*))                                                    \
  X(4, CreateEnvWithCustomLogger, OrtStatus*, (LoggingFunction, void*, int, const char*, OrtEnv**))         \
  X(6, DisableTelemetryEvents, OrtStatus*, (const OrtEnv*))                                                 \
  X(7, CreateSession, OrtStatus*, (const OrtEnv*, const PathChar*, const OrtSessionOptions*, OrtSession**)) \
  X(9, Run, OrtStatus*,                                                                                     \
    (OrtSession*, const OrtRunOptions*, const char* const*, const OrtValue* const*, size_t,                 \
     const char* const*, size_t, OrtValue**))                                                               \
  X(10, CreateSessionOptions, OrtStatus*, (OrtSessionOptions**))                                            \
  X(22, SetSessionLogSeverityLevel, OrtStatus*, (OrtSessionOptions*, int))                                  \
  X(23, SetSessionGraphOptimizationLevel, OrtStatus*, (OrtSessionOptions*, int))                            \
  X(24, SetIntraOpNumThreads, OrtStatus*, (OrtSessionOptions*, int))                                        \
  X(25, SetInterOpNumThreads, OrtStatus*, (OrtSessionOptions*, int))                                        \
  X(30, SessionGetInputCount, OrtStatus*, (const OrtSession*, size_t*))                                     \
  X(31, SessionGetOutputCount, OrtStatus*, (const OrtSession*, size_t*))                                    \
  X(33, SessionGetInputTypeInfo, OrtStatus*, (const OrtSession*, size_t, OrtTypeInfo**))                    \
  X(34, SessionGetOutputTypeInfo, OrtStatus*, (const OrtSession*, size_t, OrtTypeInfo**))                   \
  X(36, SessionGetInputName, OrtStatus*, (const OrtSession*, size_t, OrtAllocator*, char**))                \
  X(37, SessionGetOutputName, OrtStatus*, (const OrtSession*, size_t, OrtAllocator*, char**))               \
  X(39, CreateRunOptions, OrtStatus*, (OrtRunOptions**))                                                    \
  X(46, RunOptionsSetTerminate, OrtStatus*, (OrtRunOptions*))                                               \
  X(49, CreateTensorWithDataAsOrtValue, OrtStatus*,                                                         \
    (const OrtMemoryInfo*, void*, size_t, const int64_t*, size_t, int, OrtValue**))                         \
  X(51, GetTensorMutableData, OrtStatus*, (OrtValue*, void**))                                              \
  X(55, CastTypeInfoToTensorInfo, OrtStatus*, (const OrtTypeInfo*, const OrtTensorTypeAndShapeInfo**))      \
  X(60, GetTensorElementType, OrtStatus*, (const OrtTensorTypeAndShapeInfo*, int*))                         \
  X(61, GetDimensionsCount, OrtStatus*, (const OrtTensorTypeAndShapeInfo*, size_t*))                        \
  X(62, GetDimensions, OrtStatus*, (const OrtTensorTypeAndShapeInfo*, int64_t*, size_t))                    \
  X(65, GetTensorTypeAndShape, OrtStatus*, (const OrtValue*, OrtTensorTypeAndShapeInfo**))                  \
  X(69, CreateCpuMemoryInfo, OrtStatus*, (int, int, OrtMemoryInfo**))                                       \
  X(76, AllocatorFree, OrtStatus*, (OrtAllocator*, void*))                                                  \
  X(78, GetAllocatorWithDefaultOptions, OrtStatus*, (OrtAllocator**))                                       \
  X(93, ReleaseStatus, void, (OrtStatus*))                                                                  \
  X(94, ReleaseMemoryInfo, void, (OrtMemoryInfo*))                                                          \
  X(95, ReleaseSession, void, (OrtSession*))                                                                \
  X(96, ReleaseValue, void, (OrtValue*))                                                                    \
  X(97, ReleaseRunOptions, void, (OrtRunOptions*))                                                          \
  X(98, ReleaseTypeInfo, void, (OrtTypeInfo*))                                                              \
  X(99, ReleaseTensorTypeAndShapeInfo, void, (OrtTensorTypeAndShapeInfo*))                                  \
  X(100, ReleaseSessionOptions, void, (OrtSessionOptions*))                                                 \
  X(125, GetAvailableProviders, OrtStatus*, (char***, int*))                                                \
  X(126, ReleaseAvailableProviders, OrtStatus*, (char**, int))                                              \
  X(130, AddSessionConfigEntry, OrtStatus*, (OrtSessionOptions*, const char*, const char*))                 \
  X(204, SessionOptionsAppendExecutionProvider_CUDA_V2, OrtStatus*,                                         \
    (OrtSessionOptions*, const OrtCUDAProviderOptionsV2*))                                                  \
  X(205, CreateCUDAProviderOptions, OrtStatus*, (OrtCUDAProviderOptionsV2**))                               \
  X(206, UpdateCUDAProviderOptions, OrtStatus*,                                                             \
    (OrtCUDAProviderOptionsV2*, const char* const*, const char* const*, size_t))                            \
  X(208, ReleaseCUDAProviderOptions, void, (OrtCUDAProviderOptionsV2*))                                     \
  X(293, SessionOptionsSetLoadCancellationFlag, OrtStatus*, (OrtSessionOptions*, bool))

struct OrtApi {
#define GTEWAY_ORT_MEMBER(slot, name, result, parameters) result(*name) parameters = nullptr;
  GTEWAY_ORT_FUNCTIONS(GTEWAY_ORT_MEMBER)
#undef GTEWAY_ORT_MEMBER
};

struct Library {
  OrtApi api;
  OrtEnv* env = nullptr;
  std::string path;     // of the shared library, absolute
  std::string version;  // "1.30.0"
};

// Opens ONNX Runtime's shared library at `path` (absolute) and makes the process-wide OrtEnv, once: later
// calls return the same library, and throw when they name another path. Neither is ever released, on purpose:
// ONNX Runtime keeps threads and thread-locals that outlive any order of destruction we could choose, and
// releasing at exit crashes. Throws Error{kRuntimeUnavailable}: not found, not loadable, older than 1.22.
const Library& open_library(const std::string& path);

// The library open_library() opened. Precondition: it did.
const Library& library() noexcept;

inline const OrtApi& api() noexcept { return library().api; }

}  // namespace gteway::ort
