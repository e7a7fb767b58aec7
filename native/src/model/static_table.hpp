// A static model: a table of token vectors, whose mean is the vector of a text. Two writers of such files are
// known, model2vec ("embeddings") and sentence-transformers' StaticEmbedding ("embedding.weight").
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/stop.hpp"

namespace gteway {

struct StaticTable {
  size_t rows = 0;
  size_t dimensions = 0;
  AlignedBuffer vectors;  // [rows, dimensions] of float32

  // Of a table with fewer rows than there are tokens: the row of each token. Empty: its own.
  std::vector<uint32_t> row_of;
  // What each token counts. Empty: 1.
  std::vector<float> weights;

  const float* data() const noexcept { return reinterpret_cast<const float*>(vectors.data()); }
  // Tokens that it has a vector for: ids below this.
  size_t tokens() const noexcept { return row_of.empty() ? rows : row_of.size(); }
};

// Reads a safetensors file. Throws Error: kModelUnsupported where it is no such table (a tensor that is not
// known would be part of a model that computes something else), kModelInvalid where its parts contradict each
// other, kAborted soon after `stop` is set.
StaticTable read_static_table(const std::string& path, std::shared_ptr<const StopFlag> stop = nullptr);

}  // namespace gteway
