// The engine interface: ragged batches of token ids in, vectors out. Every way to run a model is one of
// these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/batch.hpp"

namespace gteway {

// What running a batch costs, in the engine's own unit of work, so that the scheduling policy need not know
// engines.
struct CostModel {
  bool padded = false;  // true: r sequences cost r × the longest; false: the sum of their lengths
  size_t max_batch_tokens =
      0;  // the largest cost one embed() call should be given; a longer sequence goes alone
  size_t max_batch_rows = SIZE_MAX;  // 1 where a sequence's vector would depend on what else is in its batch
};

struct EngineInfo {
  std::string engine;     // "ort", "encoder", "cuda", "static"
  std::string device;     // "cpu", "cuda:0"
  std::string dtype;      // "fp32", "fp16", "bf16", "int8"
  size_t dimensions = 0;  // of a token's row; 0: the model gives none, only logits
  std::string isa{};      // instruction set that its products run on; empty: that of kernels::active()
  size_t labels = 0;      // logits of its classification head; 0: it has none
  // The least cosine of some texts' vectors to those in float32, measured by the load; 1 in float32; nothing
  // where it was not measured.
  std::optional<double> cosine{};

  // Numbers in a row of embed()'s output; 0: such rows cannot be had of this engine.
  size_t width(Pooling pooling) const noexcept { return pooling == Pooling::kScore ? labels : dimensions; }
};

// Throws Error{kModelUnsupported} where such rows cannot be had.
void require_rows(const EngineInfo& info, Pooling pooling);
// For engines that know no other token type than 0: throws Error{kModelUnsupported} where a token has one.
void require_one_type(const RaggedBatch& batch, const EngineInfo& info);

// Something that was asked for and could not be had: part of `session.info.fallbacks`.
struct Fallback {
  std::string wanted;
  std::string reason;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual const EngineInfo& info() const noexcept = 0;
  virtual const CostModel& cost() const noexcept = 0;

  // Runs the model over `batch` and writes float32 rows, row-major, to `out`:
  //   kMean, kCls   [batch.size(), dimensions]      one row per sequence
  //   kNone         [batch.tokens(), dimensions]    one row per token
  //   kScore        [batch.size(), labels]          one row per sequence, as the classification head has it
  // Rows have length 1 where `normalize` is set, except those of kScore. `threads` ≥ 1 is how many of the
  // session's threads are free for this call: an engine may share one batch among them. Throws Error
  // (kModelUnsupported where info().width(pooling) is 0); `out` is unspecified then. Thread-safe.
  virtual void embed(const RaggedBatch& batch, Pooling pooling, bool normalize, size_t threads,
                     std::span<float> out) = 0;

  // Makes embed() calls in flight fail soon with kAborted, and every later one at once. Callable from any
  // thread.
  virtual void terminate() noexcept = 0;
};

}  // namespace gteway
