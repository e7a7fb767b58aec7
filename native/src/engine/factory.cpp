#include "engine/factory.hpp"

#include "engine/cuda/cuda_loading.hpp"
#include "engine/encoder/encoder_loading.hpp"
#include "engine/ort/ort_engine.hpp"
#include "engine/static/static_engine.hpp"

namespace gteway {

std::unique_ptr<Engine> make_engine(const EngineOptions& options, std::vector<Fallback>& fallbacks) {
  if (options.kind == EngineKind::kStatic) return load_static_engine(options);
  if (options.kind == EngineKind::kEncoder)
    return options.device == Device::kCuda ? cuda::load_cuda_encoder(options) : load_encoder(options);
  return ort::make_ort_engine(options, fallbacks);
}

}  // namespace gteway
