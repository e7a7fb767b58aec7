#include "engine/factory.hpp"

#include "engine/ort/ort_engine.hpp"

namespace gteway {

std::unique_ptr<Engine> make_engine(const EngineOptions& options, std::vector<Fallback>& fallbacks) {
  return ort::make_ort_engine(options, fallbacks);
}

}  // namespace gteway
