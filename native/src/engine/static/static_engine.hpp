// The engine of static models: the vector of a text is the mean of its tokens' rows in a table.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/engine.hpp"
#include "engine/factory.hpp"
#include "model/static_table.hpp"

namespace gteway {

// Rows are sums in float64, so a text's vector is the same to the bit alone and in any batch. A sequence
// without tokens has a row of zeros. max_batch_tokens 0: the engine's own choice.
std::unique_ptr<Engine> make_static_engine(StaticTable table, size_t max_batch_tokens = 0);

// Throws Error: what read_static_table() throws, kModelUnsupported for another dtype than "fp32",
// kDeviceUnavailable for another device than the CPU.
std::unique_ptr<Engine> load_static_engine(const EngineOptions& options);

}  // namespace gteway
