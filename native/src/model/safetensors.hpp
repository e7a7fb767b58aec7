// Reads the safetensors format: a JSON header, then bytes. https://github.com/huggingface/safetensors,
// "Format".
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "model/tensor.hpp"

namespace gteway {

struct NamedTensor {
  Tensor tensor;  // in the file
  std::vector<size_t> shape;
  std::string dtype;      // as the file says: "F32", "I64", …
  bool is_float = false;  // `tensor` is set: F32, F16 or BF16
  FileRange bytes;        // where its elements are
};

struct SafetensorsFile {
  std::shared_ptr<const File> file;
  std::map<std::string, NamedTensor, std::less<>> tensors;
};

// Checks the whole header: its length (16 MiB at most, where the format allows 100 MB), names, types, and
// that the tensors fill the file without gap or overlap. Throws Error{kModelInvalid} beginning with the path.
SafetensorsFile read_safetensors(std::shared_ptr<const File> file);

}  // namespace gteway
