// Which outputs of an ONNX graph hold the vectors of the tokens, and the logits: the same choice for every
// engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace gteway {

struct OutputShape {
  std::string_view name;
  // Dimensions; 0 where the graph does not say.
  size_t rank;
  // The last dimension; 0 or less where it is not fixed.
  int64_t width = 0;
};

// The index of the output with three dimensions that has a usual name, else of the first with three.
// Exporters name the token rows differently; pooled outputs beside them ("sentence_embedding") have two
// dimensions.
std::optional<size_t> choose_token_rows(std::span<const OutputShape> outputs);

// The index of the output that holds what a classification head makes of each sequence: that with two
// dimensions which is named "logits", else the first with one number in each row, which no vector is.
std::optional<size_t> choose_logits(std::span<const OutputShape> outputs);

}  // namespace gteway
