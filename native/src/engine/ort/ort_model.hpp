// A model opened by ONNX Runtime: its sessions, and what its inputs and outputs are. Read once, at load.
#pragma once

#include <string>
#include <vector>

#include "base/stop.hpp"
#include "engine/ort/ort_handles.hpp"

namespace gteway::ort {

// What a model input is for. BERT exports have two or three of these; anything else is not a text encoder.
enum class InputRole { kIds, kMask, kTypes, kPositions };

struct Input {
  std::string name;
  InputRole role;
  ElementType type;  // kInt64 or kInt32
};

// One of those that are read; its width is 0 where the graph has none.
struct Output {
  std::string name;
  ElementType type = kFloat32;  // or kFloat16
  size_t width = 0;             // its last dimension
};

struct Model {
  std::vector<Input> inputs;
  Output rows;    // [batch, sequence, hidden]: of each token
  Output logits;  // [batch, labels]: of a classification head
  // Activations are quantised with a scale found over the whole batch, so a sequence's vector depends on its
  // neighbours.
  bool quantized_at_run_time;
};

// Whether the model quantises activations while it runs. Reads the whole file; throws Error{kAborted} soon
// after `stop` is set.
bool quantizes_at_run_time(const std::string& model_path, const StopFlag& stop);

// All but `quantized_at_run_time`. Throws Error{kModelUnsupported} naming the input or output that does not
// fit, Error{kModelInvalid}.
Model describe_model(const OrtSession* session, const std::string& model_path);

}  // namespace gteway::ort
