// Which output of an ONNX graph holds the vectors of the tokens: the same choice for every engine.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace gteway {

struct OutputShape {
  std::string_view name;
  // Dimensions; 0 where the graph does not say.
  size_t rank;
};

// The index of the output with three dimensions that has a usual name, else of the first with three.
// Exporters name the token rows differently; pooled outputs beside them ("sentence_embedding") have two
// dimensions.
std::optional<size_t> choose_token_rows(std::span<const OutputShape> outputs);

}  // namespace gteway
