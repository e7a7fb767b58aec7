#include "model/onnx_model.hpp"

#include <utility>

#include "base/error.hpp"
#include "base/in_quotes.hpp"
#include "model/onnx_source.hpp"

namespace gteway {
namespace {

[[noreturn]] void invalid(const std::string& reason) { throw Error(ErrorCode::kModelInvalid, reason); }

class Parser {
 public:
  explicit Parser(std::shared_ptr<const File> file) : source_(std::move(file)) {}

  OnnxModel read() {
    parse_model({0, source_.file->size()});
    model_.files = source_.external.files();
    model_.files.push_back(source_.file);
    model_.memory = source_.memory;
    return std::move(model_);
  }

 private:
  void parse_model(FileRange message) {
    ProtobufReader reader(source_.window, message);
    bool has_graph = false;
    for (ProtobufField field; source_.next(reader, field);) {
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
    ProtobufReader reader(source_.window, message);
    std::string_view domain;
    int64_t version = 0;
    for (ProtobufField field; source_.next(reader, field);) {
      if (field.number == 1) domain = source_.text(field);
      if (field.number == 2) version = field.as_integer();
    }
    if (!domain.empty() && domain != "ai.onnx") return;
    if (model_.opset != 0) invalid("it names two operator sets of the default domain");
    model_.opset = version;
  }

  void parse_graph(FileRange message) {
    ProtobufReader reader(source_.window, message);
    for (ProtobufField field; source_.next(reader, field);) {
      switch (field.number) {
        case 1:
          source_.append(model_.nodes, parse_node(field.as_range()));
          break;
        case 5: {
          OnnxTensor tensor = parse_onnx_tensor(source_, field.as_range());
          const std::string_view name = tensor.name;
          source_.budget.take_bytes(2 * sizeof(OnnxTensor));
          if (!model_.initializers.emplace(name, std::move(tensor)).second)
            invalid("it has two initializers named " + in_quotes(name));
          break;
        }
        case 11:
          source_.append(model_.inputs, parse_port(field.as_range()));
          break;
        case 12:
          source_.append(model_.outputs, parse_port(field.as_range()));
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
    ProtobufReader reader(source_.window, message);
    for (ProtobufField field; source_.next(reader, field);) {
      switch (field.number) {
        case 1:
          source_.append(node.inputs, source_.text(field));
          break;
        case 2:
          source_.append(node.outputs, source_.text(field));
          break;
        case 3:
          node.name = source_.text(field);
          break;
        case 4:
          node.op = source_.text(field);
          break;
        case 5:
          source_.append(node.attributes, parse_attribute(field.as_range()));
          break;
        case 7:
          node.domain = source_.text(field);
          break;
        default:
          break;
      }
    }
    return node;
  }

  OnnxAttribute parse_attribute(FileRange message) {
    OnnxAttribute attribute;
    ProtobufReader reader(source_.window, message);
    for (ProtobufField field; source_.next(reader, field);) {
      switch (field.number) {
        case 1:
          attribute.name = source_.text(field);
          break;
        case 2:
          attribute.number = field.as_float();
          break;
        case 3:
          attribute.integer = field.as_integer();
          break;
        case 4:
          attribute.text = source_.text(field);
          break;
        case 5:
          attribute.tensor = parse_onnx_tensor(source_, field.as_range());
          break;
        case 6:
        case 11:
          attribute.has_graph = true;
          break;
        case 8:
          source_.append_integers(attribute.integers, field);
          break;
        default:
          break;
      }
    }
    return attribute;
  }

  OnnxPort parse_port(FileRange message) {
    OnnxPort port;
    ProtobufReader reader(source_.window, message);
    for (ProtobufField field; source_.next(reader, field);) {
      if (field.number == 1) port.name = source_.text(field);
      if (field.number == 2) parse_type(field.as_range(), port);
    }
    return port;
  }

  void parse_type(FileRange message, OnnxPort& port) {
    ProtobufReader type(source_.window, message);
    for (ProtobufField field; source_.next(type, field);) {
      if (field.number != 1) continue;
      ProtobufReader tensor(source_.window, field.as_range());
      for (ProtobufField part; source_.next(tensor, part);) {
        if (part.number == 1) port.type = static_cast<OnnxType>(part.as_integer());
        if (part.number == 2) parse_shape(part.as_range(), port);
      }
    }
  }

  void parse_shape(FileRange message, OnnxPort& port) {
    port.has_shape = true;
    ProtobufReader shape(source_.window, message);
    for (ProtobufField field; source_.next(shape, field);) {
      if (field.number != 1) continue;
      std::optional<int64_t> size;
      ProtobufReader dimension(source_.window, field.as_range());
      for (ProtobufField part; source_.next(dimension, part);)
        if (part.number == 1) size = part.as_integer();
      source_.append(port.dims, size);
    }
  }

  OnnxSource source_;
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
