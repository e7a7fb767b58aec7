#include "model/onnx_model.hpp"

#include <bit>
#include <cstring>
#include <deque>
#include <limits>

#include "base/error.hpp"
#include "model/protobuf.hpp"

namespace gteway {
namespace {

[[noreturn]] void invalid(const std::string& reason) { throw Error(ErrorCode::kModelInvalid, reason); }

// Bytes per element where the elements of `type` can be taken as they are; 0 for types no encoder's weights
// have.
size_t element_size(OnnxType type) {
  switch (type) {
    case OnnxType::kFloat:
    case OnnxType::kInt32:
      return 4;
    case OnnxType::kInt64:
    case OnnxType::kDouble:
      return 8;
    case OnnxType::kFloat16:
    case OnnxType::kBfloat16:
      return 2;
    case OnnxType::kBool:
      return 1;
    case OnnxType::kUndefined:
      return 0;
  }
  return 0;
}

// The field of TensorProto that lists elements of `type`.
uint32_t list_of(OnnxType type) {
  if (type == OnnxType::kFloat) return 4;
  if (type == OnnxType::kDouble) return 10;
  return type == OnnxType::kInt64 ? 7 : 5;
}

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : storage_(std::make_shared<Storage>()) {
    storage_->owner = std::move(owner);
    parse_model(bytes);
    model_.file = storage_;
  }

  OnnxModel take() { return std::move(model_); }

 private:
  struct Storage {
    std::shared_ptr<const void> owner;
    std::deque<std::vector<std::byte>> tensors;  // those that the file does not have as plain bytes
  };

  void parse_model(std::span<const std::byte> bytes) {
    ProtobufReader reader(bytes);
    bool has_graph = false;
    for (ProtobufField field; reader.next(field);) {
      if (field.number == 7) {
        if (has_graph) invalid("it has two graphs");
        has_graph = true;
        parse_graph(field.as_bytes());
      } else if (field.number == 8) {
        parse_opset(field.as_bytes());
      }
    }
    if (!has_graph) invalid("it has no graph");
  }

  void parse_opset(std::span<const std::byte> bytes) {
    ProtobufReader reader(bytes);
    std::string_view domain;
    int64_t version = 0;
    for (ProtobufField field; reader.next(field);) {
      if (field.number == 1) domain = field.as_text();
      if (field.number == 2) version = field.as_integer();
    }
    if (!domain.empty() && domain != "ai.onnx") return;
    if (model_.opset != 0) invalid("it names two operator sets of the default domain");
    model_.opset = version;
  }

  void parse_graph(std::span<const std::byte> bytes) {
    ProtobufReader reader(bytes);
    for (ProtobufField field; reader.next(field);) {
      switch (field.number) {
        case 1:
          model_.nodes.push_back(parse_node(field.as_bytes()));
          break;
        case 5: {
          OnnxTensor tensor = parse_tensor(field.as_bytes());
          const std::string_view name = tensor.name;
          if (!model_.initializers.emplace(name, std::move(tensor)).second)
            invalid("it has two initializers named '" + std::string(name) + "'");
          break;
        }
        case 11:
          model_.inputs.push_back(parse_port(field.as_bytes()));
          break;
        case 12:
          model_.outputs.push_back(parse_port(field.as_bytes()));
          break;
        case 15:
          invalid("it has sparse initializers");
        default:
          break;
      }
    }
  }

  OnnxNode parse_node(std::span<const std::byte> bytes) {
    OnnxNode node;
    ProtobufReader reader(bytes);
    for (ProtobufField field; reader.next(field);) {
      switch (field.number) {
        case 1:
          node.inputs.push_back(field.as_text());
          break;
        case 2:
          node.outputs.push_back(field.as_text());
          break;
        case 3:
          node.name = field.as_text();
          break;
        case 4:
          node.op = field.as_text();
          break;
        case 5:
          node.attributes.push_back(parse_attribute(field.as_bytes()));
          break;
        case 7:
          node.domain = field.as_text();
          break;
        default:
          break;
      }
    }
    return node;
  }

  OnnxAttribute parse_attribute(std::span<const std::byte> bytes) {
    OnnxAttribute attribute;
    ProtobufReader reader(bytes);
    for (ProtobufField field; reader.next(field);) {
      switch (field.number) {
        case 1:
          attribute.name = field.as_text();
          break;
        case 2:
          attribute.number = field.as_float();
          break;
        case 3:
          attribute.integer = field.as_integer();
          break;
        case 4:
          attribute.text = field.as_text();
          break;
        case 5:
          attribute.tensor = parse_tensor(field.as_bytes());
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
  static void append_integers(const ProtobufField& field, std::vector<int64_t>& to) {
    if (field.wire != ProtobufField::Wire::kBytes) {
      to.push_back(field.as_integer());
      return;
    }
    for (ProtobufReader packed(field.bytes); !packed.done();)
      to.push_back(static_cast<int64_t>(packed.varint()));
  }

  OnnxTensor parse_tensor(std::span<const std::byte> bytes) {
    OnnxTensor tensor;
    std::optional<std::span<const std::byte>> raw;
    std::vector<std::byte> typed;   // elements of float_data, double_data
    std::vector<int64_t> integers;  // elements of int32_data, int64_data
    uint32_t list = 0;              // the field that typed or integers came from
    bool external = false;
    ProtobufReader reader(bytes);
    for (ProtobufField field; reader.next(field);) {
      switch (field.number) {
        case 1:
          append_integers(field, tensor.dims);
          break;
        case 2:
          tensor.type = static_cast<OnnxType>(field.as_integer());
          break;
        case 4:
        case 10:
          append_numbers(field, typed);
          list = field.number;
          break;
        case 5:
        case 7:
          append_integers(field, integers);
          list = field.number;
          break;
        case 8:
          tensor.name = field.as_text();
          break;
        case 9:
          if (raw) invalid("tensor '" + std::string(tensor.name) + "' has its data twice");
          raw = field.as_bytes();
          break;
        case 13:
          external = true;
          break;
        case 14:
          external = external || field.as_integer() != 0;
          break;
        default:
          break;
      }
    }
    if (list != 0 && element_size(tensor.type) != 0 && list != list_of(tensor.type))
      invalid("tensor '" + std::string(tensor.name) + "' has its elements in the list of another type");
    place(tensor, raw, typed, integers, external);
    return tensor;
  }

  static void append_numbers(const ProtobufField& field, std::vector<std::byte>& to) {
    if (field.wire == ProtobufField::Wire::kBytes) {
      to.insert(to.end(), field.bytes.begin(), field.bytes.end());
      return;
    }
    const size_t size = field.wire == ProtobufField::Wire::kFixed32   ? 4
                        : field.wire == ProtobufField::Wire::kFixed64 ? 8
                                                                      : 0;
    if (size == 0) invalid("a tensor has numbers of an unexpected wire type");
    for (size_t i = 0; i < size; ++i) to.push_back(static_cast<std::byte>(field.value >> (8 * i)));
  }

  void place(OnnxTensor& tensor, const std::optional<std::span<const std::byte>>& raw,
             std::vector<std::byte>& typed, const std::vector<int64_t>& integers, bool external) {
    const std::string name = "tensor '" + std::string(tensor.name) + "'";
    size_t elements = 1;
    for (const int64_t dimension : tensor.dims) {
      if (dimension < 0) invalid(name + " has a negative dimension");
      const auto size = static_cast<size_t>(dimension);
      if (size != 0 && elements > std::numeric_limits<size_t>::max() / 16 / size)
        invalid(name + " is larger than memory");
      elements *= size;
    }
    tensor.elements = elements;
    if (external) {
      tensor.reason = "lies in an external data file";
      return;
    }
    const size_t element = element_size(tensor.type);
    if (element == 0) {
      tensor.reason = "has an element type that no encoder's weights have (" +
                      std::to_string(static_cast<int32_t>(tensor.type)) + " in ONNX's numbering)";
      return;
    }
    if (static_cast<int>(raw.has_value()) + static_cast<int>(!typed.empty()) +
            static_cast<int>(!integers.empty()) >
        1)
      invalid(name + " has its data twice");
    std::span<const std::byte> data;
    if (raw) {
      data = *raw;
    } else {
      if (!integers.empty()) narrow(integers, element, typed);
      data = storage_->tensors.emplace_back(std::move(typed));
    }
    if (data.size() != elements * element)
      invalid(name + " has " + std::to_string(data.size()) + " bytes, its shape wants " +
              std::to_string(elements * element));
    static constexpr std::byte kNothing{};
    tensor.data = data.empty() ? &kNothing : data.data();
  }

  // int32_data holds the bits of smaller types as well.
  static void narrow(const std::vector<int64_t>& integers, size_t element, std::vector<std::byte>& to) {
    to.reserve(integers.size() * element);
    for (const int64_t value : integers)
      for (size_t i = 0; i < element; ++i)
        to.push_back(static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i)));
  }

  OnnxPort parse_port(std::span<const std::byte> bytes) {
    OnnxPort port;
    ProtobufReader reader(bytes);
    for (ProtobufField field; reader.next(field);) {
      if (field.number == 1) port.name = field.as_text();
      if (field.number == 2) parse_type(field.as_bytes(), port);
    }
    return port;
  }

  static void parse_type(std::span<const std::byte> bytes, OnnxPort& port) {
    ProtobufReader type(bytes);
    for (ProtobufField field; type.next(field);) {
      if (field.number != 1) continue;
      ProtobufReader tensor(field.as_bytes());
      for (ProtobufField part; tensor.next(part);) {
        if (part.number == 1) port.type = static_cast<OnnxType>(part.as_integer());
        if (part.number == 2) parse_shape(part.as_bytes(), port);
      }
    }
  }

  static void parse_shape(std::span<const std::byte> bytes, OnnxPort& port) {
    port.has_shape = true;
    ProtobufReader shape(bytes);
    for (ProtobufField field; shape.next(field);) {
      if (field.number != 1) continue;
      std::optional<int64_t> size;
      ProtobufReader dimension(field.as_bytes());
      for (ProtobufField part; dimension.next(part);)
        if (part.number == 1) size = part.as_integer();
      port.dims.push_back(size);
    }
  }

  std::shared_ptr<Storage> storage_;
  OnnxModel model_;
};

}  // namespace

const OnnxAttribute* OnnxNode::attribute(std::string_view wanted) const noexcept {
  for (const OnnxAttribute& candidate : attributes)
    if (candidate.name == wanted) return &candidate;
  return nullptr;
}

OnnxModel parse_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                     const std::string& path) {
  try {
    return Parser(bytes, std::move(owner)).take();
  } catch (const Error& error) {
    throw Error(error.code, path + " is not an ONNX model: " + error.what());
  }
}

OnnxModel read_onnx(const std::string& path) {
  std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file->bytes();
  return parse_onnx(bytes, std::move(file), path);
}

}  // namespace gteway
