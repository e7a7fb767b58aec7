#include "engine/engine.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace gteway {

void require_rows(const EngineInfo& info, Pooling pooling) {
  if (info.width(pooling) > 0) return;
  throw Error(ErrorCode::kModelUnsupported,
              pooling == Pooling::kScore
                  ? "the model has no classification head that the engine '" + info.engine +
                        "' knows, so it cannot score: it makes vectors of texts"
                  : std::string("the model gives scores (logits) and no rows of tokens, so it cannot embed"));
}

void require_one_type(const RaggedBatch& batch, const EngineInfo& info) {
  if (std::all_of(batch.types.begin(), batch.types.end(), [](int32_t type) { return type == 0; })) return;
  throw Error(
      ErrorCode::kModelUnsupported,
      "the engine '" + info.engine + "' takes single texts, and the second of a pair has token type 1");
}

}  // namespace gteway
