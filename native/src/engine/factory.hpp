// Chooses and makes the engine of a session.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/stop.hpp"
#include "engine/engine.hpp"

namespace gteway {

// Texts as the model's tokenizer has them, and how their tokens' rows become a vector where the model has no
// head, whose way it is then. Without any, ids from all over the vocabulary stand for them.
struct ProbeTexts {
  std::vector<std::vector<int32_t>> ids;
  Pooling pooling = Pooling::kMean;
};

enum class EngineKind { kOrt, kEncoder, kStatic };
enum class Device { kAuto, kCpu, kCuda };

struct EngineOptions {
  EngineKind kind = EngineKind::kOrt;
  std::string model_path;   // UTF-8 path of the weights: an .onnx file, for the encoder also a .safetensors
                            // one, which is what a static model has
  std::string config_path;  // of the model's config.json; the encoder reads it beside a .safetensors file
  // ONNX Runtime: of that file, "fp32", "fp16", "int8". The encoder: to compute in, "fp32", "bf16", "int8".
  std::string dtype;
  Device device = Device::kAuto;
  int device_id = 0;              // which CUDA device
  uint64_t gpu_memory_limit = 0;  // bytes ONNX Runtime's CUDA arena may take; 0: no limit
  size_t threads = 1;             // of the session; the scheduler calls the engine from one more at most
  size_t max_batch_tokens = 0;    // 0: the engine's own choice
  std::string ort_library;        // absolute path of ONNX Runtime's shared library; the encoder opens none
  std::string cuda_library;       // absolute path of libgteway_cuda, for the encoder on a CUDA device
  // The encoder on a CPU measures the cosine of these texts' vectors to those in float32, and is not loaded
  // where one is below `least_cosine`.
  ProbeTexts probes;
  double least_cosine = 0;
  // Gives the loading up. Not null.
  std::shared_ptr<const StopFlag> stop = std::make_shared<const StopFlag>();
};

// Loads the model: may take seconds, call it on a native thread. Reasons why something better was passed over
// are added to `fallbacks`. Throws Error: kRuntimeUnavailable, kDeviceUnavailable, kModelInvalid,
// kModelUnsupported; of the encoder also kInferenceFailed, where its vectors are not those of the model, or
// not near enough; kAborted soon after `stop` is set.
std::unique_ptr<Engine> make_engine(const EngineOptions& options, std::vector<Fallback>& fallbacks);

}  // namespace gteway
