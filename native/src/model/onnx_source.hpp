// An ONNX file while it is read: what the parsers of its parts share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/external_data.hpp"
#include "model/graph_budget.hpp"
#include "model/onnx_tensor.hpp"
#include "model/protobuf.hpp"

namespace gteway {

class OnnxSource {
 public:
  // What the file does not have as plain bytes, or has in a place that names cannot point to.
  struct Memory {
    std::deque<std::string> names;
    std::deque<std::vector<std::byte>> tensors;
  };

  explicit OnnxSource(std::shared_ptr<const File> from)
      : file(std::move(from)), window(*file), external(file->path(), file->stop()) {}

  // The next field of a message. Everything that is kept passes this or one of the following, which take it
  // from the budget.
  bool next(ProtobufReader& reader, ProtobufField& field) {
    budget.take_field();
    return reader.next(field);
  }
  template <class T>
  void append(std::vector<T>& to, T value) {
    // A vector that grows holds its elements up to three times; one that begins takes a block of its own.
    budget.take_bytes((to.empty() ? 32 : 0) + 2 * sizeof(T));
    to.push_back(std::move(value));
  }
  // Repeated numbers come one by one or packed.
  void append_integers(std::vector<int64_t>& to, const ProtobufField& field) {
    if (field.wire != ProtobufField::Wire::kBytes) return append(to, field.as_integer());
    for (ProtobufReader packed(window, field.range); !packed.done();)
      append(to, static_cast<int64_t>(packed.varint()));
  }
  std::string_view text(const ProtobufField& field) {
    const FileRange range = field.as_range();
    if (range.length == 0) return {};
    budget.take_bytes(sizeof(std::string));
    budget.take_bytes(static_cast<size_t>(std::min<uint64_t>(range.length, GraphBudget::kMostBytes + 1)));
    return memory->names.emplace_back(window.text(range));
  }

  const std::shared_ptr<const File> file;
  FileWindow window;
  ExternalData external;
  GraphBudget budget;
  const std::shared_ptr<Memory> memory = std::make_shared<Memory>();
};

// A TensorProto. Throws Error{kModelInvalid}.
OnnxTensor parse_onnx_tensor(OnnxSource& source, FileRange message);

}  // namespace gteway
