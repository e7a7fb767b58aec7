// The engine interface: ragged batches of token ids in, vectors out. Every way to run a model is one of
// these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/batch.hpp"

namespace gteway {

// What running a batch costs, in the engine's own unit of work, so that the scheduling policy need not know
// engines.
struct CostModel {
  bool padded = false;  // true: a batch of r sequences costs r × longest; false: the sum of the lengths
  size_t max_batch_tokens = 0;  // the largest cost one embed() call should be given
  bool concurrent = true;       // embed() may be called from several threads at once, and gains from it
};

struct EngineInfo {
  std::string engine;  // "ort", "encoder", "cuda"
  std::string device;  // "cpu", "cuda:0"
  std::string dtype;   // "fp32", "fp16", "bf16", "int8"
  size_t dimensions = 0;
  size_t max_tokens = 0;  // positions the model has; 0: not known
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual const EngineInfo& info() const noexcept = 0;
  virtual const CostModel& cost() const noexcept = 0;

  // Runs the model over `batch` and writes float32 rows, row-major, to `out`:
  //   kMean, kCls   [batch.size(), dimensions]      one row per sequence
  //   kNone         [batch.tokens(), dimensions]    one row per token
  // Rows have length 1 where `normalize` is set. Throws Error; `out` is unspecified then. Thread-safe.
  virtual void embed(const RaggedBatch& batch, Pooling pooling, bool normalize, std::span<float> out) = 0;

  // Makes embed() calls in flight fail soon with kAborted, and every later one at once. Callable from any
  // thread.
  virtual void terminate() noexcept = 0;
};

}  // namespace gteway
