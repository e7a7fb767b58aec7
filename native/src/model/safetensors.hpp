// Reads safetensors files: https://huggingface.co/docs/safetensors, "Format".
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.hpp"
#include "model/encoder_weights.hpp"

namespace gteway {

struct NamedTensor {
  Tensor tensor;
  std::vector<size_t> shape;
  std::string dtype;      // as the file says: "F32", "I64", …
  bool is_float = false;  // `tensor` is set: F32, F16 or BF16
};

struct SafetensorsFile {
  std::shared_ptr<const MappedFile> file;  // what the tensors point into
  std::map<std::string, NamedTensor, std::less<>> tensors;
};

// Checks the whole header: its length, names, types, and that the tensors fill the file without gap or
// overlap. Throws Error{kModelInvalid} beginning with the path.
SafetensorsFile read_safetensors(const std::string& path);

}  // namespace gteway
