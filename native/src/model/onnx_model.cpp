#include "model/onnx_model.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "base/quoted.hpp"
#include "model/external_data.hpp"
#include "model/graph_budget.hpp"
#include "model/protobuf.hpp"

namespace gteway {
namespace {

[[noreturn]] void invalid(const std::string& reason) { throw Error(ErrorCode::kModelInvalid, reason); }

// The field of TensorProto that lists elements of `type`.
uint32_t list_of(OnnxType type) {
  if (type == OnnxType::kFloat) return 4;
  if (type == OnnxType::kDouble) return 10;
  return type == OnnxType::kInt64 ? 7 : 5;
}

class Parser {
 public:
  explicit Parser(std::shared_ptr<const File> file)
      : file_(std::move(file)),
        window_(*file_),
        external_(file_->path(), file_->stop()),
        storage_(std::make_shared<Storage>()) {}

  OnnxModel read() {
    parse_model({0, file_->size()});
    model_.files = external_.files();
    model_.files.push_back(file_);
    model_.memory = storage_;
    return std::move(model_);
  }

 private:
  struct Storage {
    std::deque<std::string> names;
    std::deque<std::vector<std::byte>> tensors;  // those that the file does not have as plain bytes
  };

  // Everything that is kept passes one of these.
  bool next(ProtobufReader& reader, ProtobufField& field) {
    budget_.take_field();
    return reader.next(field);
  }
  template <class T>
  T& append(std::vector<T>& to, T value) {
    // A vector that grows holds its elements up to three times; one that begins takes a block of its own.
    budget_.take_bytes((to.empty() ? 32 : 0) + 2 * sizeof(T));
    return to.emplace_back(std::move(value));
  }
  std::string_view text(const ProtobufField& field) {
    const FileRange range = field.as_range();
    if (range.length == 0) return {};
    budget_.take_bytes(sizeof(std::string) +
                       static_cast<size_t>(std::min<uint64_t>(range.length, SIZE_MAX / 2)));
    return storage_->names.emplace_back(window_.text(range));
  }

  void parse_model(FileRange message) {
    ProtobufReader reader(window_, message);
    bool has_graph = false;
    for (ProtobufField field; next(reader, field);) {
      if (field.number == 7) {
        if (has_graph) invalid("it has two graphs");
        has_graph = true;
        parse_graph(field.as_range());
      } else if (field.number == 8) {
        parse_opset(field.as_range());
      }
    }
    if (!has_graph) invalid("it has no graph");
  }

  void parse_opset(FileRange message) {
    ProtobufReader reader(window_, message);
    std::string_view domain;
    int64_t version = 0;
    for (ProtobufField field; next(reader, field);) {
      if (field.number == 1) domain = text(field);
      if (field.number == 2) version = field.as_integer();
    }
    if (!domain.empty() && domain != "ai.onnx") return;
    if (model_.opset != 0) invalid("it names two operator sets of the default domain");
    model_.opset = version;
  }

  void parse_graph(FileRange message) {
    ProtobufReader reader(window_, message);
    for (ProtobufField field; next(reader, field);) {
      switch (field.number) {
        case 1:
          append(model_.nodes, parse_node(field.as_range()));
          break;
        case 5: {
          OnnxTensor tensor = parse_tensor(field.as_range());
          const std::string_view name = tensor.name;
          budget_.take_bytes(2 * sizeof(OnnxTensor));
          if (!model_.initializers.emplace(name, std::move(tensor)).second)
            invalid("it has two initializers named " + quoted(name));
          break;
        }
        case 11:
          append(model_.inputs, parse_port(field.as_range()));
          break;
        case 12:
          append(model_.outputs, parse_port(field.as_range()));
          break;
        case 15:
          invalid("it has sparse initializers");
        default:
          break;
      }
    }
  }

  OnnxNode parse_node(FileRange message) {
    OnnxNode node;
    ProtobufReader reader(window_, message);
    for (ProtobufField field; next(reader, field);) {
      switch (field.number) {
        case 1:
          append(node.inputs, text(field));
          break;
        case 2:
          append(node.outputs, text(field));
          break;
        case 3:
          node.name = text(field);
          break;
        case 4:
          node.op = text(field);
          break;
        case 5:
          append(node.attributes, parse_attribute(field.as_range()));
          break;
        case 7:
          node.domain = text(field);
          break;
        default:
          break;
      }
    }
    return node;
  }

  OnnxAttribute parse_attribute(FileRange message) {
    OnnxAttribute attribute;
    ProtobufReader reader(window_, message);
    for (ProtobufField field; next(reader, field);) {
      switch (field.number) {
        case 1:
          attribute.name = text(field);
          break;
        case 2:
          attribute.number = field.as_float();
          break;
        case 3:
          attribute.integer = field.as_integer();
          break;
        case 4:
          attribute.text = text(field);
          break;
        case 5:
          attribute.tensor = parse_tensor(field.as_range());
          break;
        case 6:
        case 11:
          attribute.has_graph = true;
          break;
        case 8:
          append_integers(field, attribute.integers);
          break;
        default:
          break;
      }
    }
    return attribute;
  }

  // Repeated numbers come one by one or packed.
  void append_integers(const ProtobufField& field, std::vector<int64_t>& to) {
    if (field.wire != ProtobufField::Wire::kBytes) {
      append(to, field.as_integer());
      return;
    }
    for (ProtobufReader packed(window_, field.range); !packed.done();)
      append(to, static_cast<int64_t>(packed.varint()));
  }

  // What TensorProto says about its elements.
  struct Elements {
    std::optional<FileRange> raw;   // of raw_data, or of one packed list of floats, which is the same
    std::vector<std::byte> typed;   // of float_data, double_data in other forms
    std::vector<int64_t> integers;  // of int32_data, int64_data
    uint32_t list = 0;              // the field that a list came from
    bool is_external = false;
    std::string_view location;  // of external data
    uint64_t offset = 0;
    std::optional<uint64_t> length;
  };

  OnnxTensor parse_tensor(FileRange message) {
    OnnxTensor tensor;
    Elements elements;
    ProtobufReader reader(window_, message);
    for (ProtobufField field; next(reader, field);) {
      switch (field.number) {
        case 1:
          append_integers(field, tensor.dims);
          break;
        case 2:
          tensor.type = static_cast<OnnxType>(field.as_integer());
          break;
        case 4:
        case 10:
          append_numbers(field, elements);
          elements.list = field.number;
          break;
        case 5:
        case 7:
          append_integers(field, elements.integers);
          elements.list = field.number;
          break;
        case 8:
          tensor.name = text(field);
          break;
        case 9:
          if (elements.raw) invalid("tensor " + quoted(tensor.name) + " has its data twice");
          elements.raw = field.as_range();
          break;
        case 13:
          parse_external(field.as_range(), elements);
          break;
        case 14:
          elements.is_external = elements.is_external || field.as_integer() != 0;
          break;
        default:
          break;
      }
    }
    place(tensor, elements);
    return tensor;
  }

  void append_numbers(const ProtobufField& field, Elements& to) {
    const bool is_packed = field.wire == ProtobufField::Wire::kBytes;
    if (is_packed && !to.raw && to.typed.empty()) {
      to.raw = field.range;
      return;
    }
    const size_t size = field.wire == ProtobufField::Wire::kFixed32   ? 4
                        : field.wire == ProtobufField::Wire::kFixed64 ? 8
                                                                      : 0;
    if (size == 0) invalid("a tensor has its numbers in several lists, or of an unexpected wire type");
    for (size_t i = 0; i < size; ++i) append(to.typed, static_cast<std::byte>(field.value >> (8 * i)));
  }

  // One entry of a map of strings.
  void parse_external(FileRange message, Elements& to) {
    to.is_external = true;
    std::string_view key, value;
    ProtobufReader reader(window_, message);
    for (ProtobufField field; next(reader, field);) {
      if (field.number == 1) key = text(field);
      if (field.number == 2) value = text(field);
    }
    if (key == "location") to.location = value;
    if (key == "offset") to.offset = number_in(key, value);
    if (key == "length") to.length = number_in(key, value);
  }

  static uint64_t number_in(std::string_view key, std::string_view digits) {
    uint64_t number = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, number);
    if (digits.empty() || error != std::errc() || stopped != end)
      invalid("the " + std::string(key) + " of external data, " + quoted(digits) + ", is no number");
    return number;
  }

  void place(OnnxTensor& tensor, Elements& from) {
    const std::string name = "tensor " + quoted(tensor.name);
    size_t elements = 1;
    for (const int64_t dimension : tensor.dims) {
      if (dimension < 0) invalid(name + " has a negative dimension");
      const auto size = static_cast<size_t>(dimension);
      if (size != 0 && elements > std::numeric_limits<size_t>::max() / 16 / size)
        invalid(name + " is larger than memory");
      elements *= size;
    }
    tensor.elements = elements;
    const size_t element = element_bytes(tensor.type);
    if (element == 0) {
      tensor.reason = "has an element type that no encoder's weights have (" +
                      std::to_string(static_cast<int32_t>(tensor.type)) + " in ONNX's numbering)";
      return;
    }
    if (from.list != 0 && from.list != list_of(tensor.type))
      invalid(name + " has its elements in the list of another type");
    if (static_cast<int>(from.raw.has_value()) + static_cast<int>(!from.typed.empty()) +
            static_cast<int>(!from.integers.empty()) + static_cast<int>(from.is_external) >
        1)
      invalid(name + " has its data twice");
    if (from.is_external) return place_external(tensor, from, element);
    if (from.raw) {
      check_bytes(name, from.raw->length, elements * element);
      tensor.file = file_.get();
      tensor.offset = from.raw->offset;
      return;
    }
    if (!from.integers.empty()) narrow(from.integers, element, from.typed);
    check_bytes(name, from.typed.size(), elements * element);
    static constexpr std::byte kNothing{};
    tensor.data = &kNothing;
    if (!from.typed.empty()) tensor.data = storage_->tensors.emplace_back(std::move(from.typed)).data();
  }

  void place_external(OnnxTensor& tensor, const Elements& from, size_t element) {
    const File* const file = external_.open(std::string(from.location), tensor.reason);
    if (file == nullptr) return;
    const uint64_t wanted = tensor.elements * element;
    if (from.length) check_bytes("tensor " + quoted(tensor.name), *from.length, wanted);
    if (from.offset > file->size() || wanted > file->size() - from.offset)
      invalid("tensor " + quoted(tensor.name) + " lies outside of " + file->path() + ", which has " +
              std::to_string(file->size()) + " bytes");
    tensor.file = file;
    tensor.offset = from.offset;
  }

  static void check_bytes(const std::string& name, uint64_t has, uint64_t wants) {
    if (has != wants)
      invalid(name + " has " + std::to_string(has) + " bytes, its shape wants " + std::to_string(wants));
  }

  // int32_data holds the bits of smaller types as well.
  void narrow(const std::vector<int64_t>& integers, size_t element, std::vector<std::byte>& to) {
    budget_.take_bytes(integers.size() * element);
    to.reserve(integers.size() * element);
    for (const int64_t value : integers)
      for (size_t i = 0; i < element; ++i)
        to.push_back(static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i)));
  }

  OnnxPort parse_port(FileRange message) {
    OnnxPort port;
    ProtobufReader reader(window_, message);
    for (ProtobufField field; next(reader, field);) {
      if (field.number == 1) port.name = text(field);
      if (field.number == 2) parse_type(field.as_range(), port);
    }
    return port;
  }

  static void parse_type(std::span<const std::byte> bytes, OnnxPort& port) {
    ProtobufReader type(bytes);
    for (ProtobufField field; type.next(field);) {
      if (field.number != 1) continue;
      ProtobufReader tensor(window_, field.as_range());
      for (ProtobufField part; next(tensor, part);) {
        if (part.number == 1) port.type = static_cast<OnnxType>(part.as_integer());
        if (part.number == 2) parse_shape(part.as_range(), port);
      }
    }
  }

  static void parse_shape(std::span<const std::byte> bytes, OnnxPort& port) {
    port.has_shape = true;
    ProtobufReader shape(window_, message);
    for (ProtobufField field; next(shape, field);) {
      if (field.number != 1) continue;
      std::optional<int64_t> size;
      ProtobufReader dimension(window_, field.as_range());
      for (ProtobufField part; next(dimension, part);)
        if (part.number == 1) size = part.as_integer();
      append(port.dims, size);
    }
  }

  const std::shared_ptr<const File> file_;
  FileWindow window_;
  ExternalData external_;
  GraphBudget budget_;
  const std::shared_ptr<Storage> storage_;
  OnnxModel model_;
};

}  // namespace

const OnnxAttribute* OnnxNode::attribute(std::string_view wanted) const noexcept {
  for (const OnnxAttribute& candidate : attributes)
    if (candidate.name == wanted) return &candidate;
  return nullptr;
}

OnnxModel read_onnx(std::shared_ptr<const File> file) {
  const std::string path = file->path();
  try {
    return Parser(std::move(file)).read();
  } catch (const Error& error) {
    if (error.code == ErrorCode::kAborted) throw;
    throw Error(
        error.code,
        path + (error.code == ErrorCode::kModelInvalid ? " is not an ONNX model: " : ": ") + error.what());
  }
}

std::vector<std::string> external_data_paths(const std::string& path) {
  std::vector<std::string> paths;
  try {
    for (const std::shared_ptr<const File>& file : read_onnx(File::open(path)).files)
      if (file->path() != path) paths.push_back(file->path());
  } catch (const Error&) {
    paths.clear();
  }
  return paths;
}

}  // namespace gteway
