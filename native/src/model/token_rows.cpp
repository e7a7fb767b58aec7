#include "model/token_rows.hpp"

namespace gteway {

std::optional<size_t> choose_token_rows(std::span<const OutputShape> outputs) {
  for (const std::string_view usual : {"last_hidden_state", "token_embeddings", "hidden_states"})
    for (size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].name == usual && outputs[i].rank == 3) return i;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].rank == 3) return i;
  return std::nullopt;
}

std::optional<size_t> choose_logits(std::span<const OutputShape> outputs) {
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].name == "logits" && outputs[i].rank == 2) return i;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].rank == 2 && outputs[i].width == 1) return i;
  return std::nullopt;
}

}  // namespace gteway
