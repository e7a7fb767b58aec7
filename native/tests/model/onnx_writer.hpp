// Writes ONNX files for tests, from nodes that a test may first change as it likes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace gteway::test {

using Bytes = std::string;

inline void put_varint(Bytes& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>((value & 0x7F) | 0x80);
  to += static_cast<char>(value);
}
inline void put_integer(Bytes& to, uint32_t field, int64_t value) {
  put_varint(to, field << 3);
  put_varint(to, static_cast<uint64_t>(value));
}
inline void put_bytes(Bytes& to, uint32_t field, const Bytes& value) {
  put_varint(to, (field << 3) | 2);
  put_varint(to, value.size());
  to += value;
}

struct TensorToWrite {
  std::string name;
  std::vector<int64_t> dims;
  int type = 1;  // ONNX's numbering
  Bytes raw;
  bool typed = false;     // as float_data or int64_data instead of raw_data
  bool external = false;  // claims that the data is in another file
  // Says in which, and where
  std::optional<std::string> location{};
  int64_t offset = 0;
  std::vector<std::array<std::string, 2>> external_entries{};  // more that it says
};

inline TensorToWrite floats(std::string name, std::vector<int64_t> dims, const std::vector<float>& values) {
  Bytes raw(values.size() * sizeof(float), '\0');
  if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return {std::move(name), std::move(dims), 1, std::move(raw), false, false, {}, 0, {}};
}
inline TensorToWrite integers(std::string name, std::vector<int64_t> dims,
                              const std::vector<int64_t>& values) {
  Bytes raw(values.size() * sizeof(int64_t), '\0');
  if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return {std::move(name), std::move(dims), 7, std::move(raw), false, false, {}, 0, {}};
}

inline Bytes write_tensor(const TensorToWrite& tensor) {
  Bytes out;
  for (const int64_t dim : tensor.dims) put_integer(out, 1, dim);
  put_integer(out, 2, tensor.type);
  put_bytes(out, 8, tensor.name);
  const auto entry = [&](const std::string& key, const std::string& value) {
    Bytes pair;
    put_bytes(pair, 1, key);
    put_bytes(pair, 2, value);
    put_bytes(out, 13, pair);
  };
  if (tensor.location) {
    put_integer(out, 14, 1);
    entry("location", *tensor.location);
    entry("offset", std::to_string(tensor.offset));
    entry("length", std::to_string(tensor.raw.size()));
    for (const auto& [key, value] : tensor.external_entries) entry(key, value);
  } else if (tensor.external) {
    put_integer(out, 14, 1);
  } else if (!tensor.typed) {
    put_bytes(out, 9, tensor.raw);
  } else if (tensor.type == 1) {
    put_bytes(out, 4, tensor.raw);  // packed floats
  } else {
    for (size_t i = 0; i < tensor.raw.size(); i += 8) {
      int64_t value = 0;
      std::memcpy(&value, tensor.raw.data() + i, 8);
      put_integer(out, 7, value);  // one by one
    }
  }
  return out;
}

struct AttributeToWrite {
  std::string name;
  std::variant<int64_t, float, std::string, std::vector<int64_t>, TensorToWrite> value;
};

struct NodeToWrite {
  std::string name;
  std::string op;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<AttributeToWrite> attributes;
  std::string domain;

  AttributeToWrite& attribute(const std::string& wanted) {
    for (AttributeToWrite& candidate : attributes)
      if (candidate.name == wanted) return candidate;
    throw std::runtime_error(name + " has no attribute " + wanted);
  }
};

struct PortToWrite {
  std::string name;
  int type;
  std::vector<int64_t> dims;  // -1: free
};

struct GraphToWrite {
  int64_t opset = 17;
  std::vector<NodeToWrite> nodes;
  std::vector<TensorToWrite> initializers;
  std::vector<PortToWrite> inputs;
  std::vector<PortToWrite> outputs;

  // Appends a node with one output, whose name is the node's own; returns it.
  std::string add(const std::string& name, const std::string& op, std::vector<std::string> from,
                  std::vector<AttributeToWrite> attributes = {}) {
    nodes.push_back({name, op, std::move(from), {name}, std::move(attributes), ""});
    return name;
  }
  std::string add(TensorToWrite tensor) {
    std::string name = tensor.name;
    initializers.push_back(std::move(tensor));
    return name;
  }
  std::string number(const std::string& name, float value) { return add(floats(name, {}, {value})); }

  NodeToWrite& node(const std::string& name) {
    for (NodeToWrite& candidate : nodes)
      if (candidate.name == name) return candidate;
    throw std::runtime_error("no node " + name);
  }
  TensorToWrite& initializer(const std::string& name) {
    for (TensorToWrite& candidate : initializers)
      if (candidate.name == name) return candidate;
    throw std::runtime_error("no initializer " + name);
  }
  // Puts a node right behind another and lets all later nodes read it in the other's place.
  void insert_behind(const std::string& before, NodeToWrite inserted) {
    const auto at =
        std::find_if(nodes.begin(), nodes.end(), [&](const NodeToWrite& n) { return n.name == before; });
    for (auto later = at + 1; later != nodes.end(); ++later)
      std::replace(later->inputs.begin(), later->inputs.end(), before, inserted.name);
    inserted.outputs = {inserted.name};
    nodes.insert(at + 1, std::move(inserted));
  }
};

inline Bytes write_attribute(const AttributeToWrite& attribute) {
  Bytes out;
  put_bytes(out, 1, attribute.name);
  if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
    put_integer(out, 3, *integer);
    put_integer(out, 20, 2);
  } else if (const auto* number = std::get_if<float>(&attribute.value)) {
    put_varint(out, (2 << 3) | 5);
    const auto bits = std::bit_cast<uint32_t>(*number);
    for (int i = 0; i < 4; ++i) out += static_cast<char>(bits >> (8 * i));
    put_integer(out, 20, 1);
  } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    put_bytes(out, 4, *text);
    put_integer(out, 20, 3);
  } else if (const auto* list = std::get_if<std::vector<int64_t>>(&attribute.value)) {
    for (const int64_t value : *list) put_integer(out, 8, value);
    put_integer(out, 20, 7);
  } else {
    put_bytes(out, 5, write_tensor(std::get<TensorToWrite>(attribute.value)));
    put_integer(out, 20, 4);
  }
  return out;
}

inline Bytes write_port(const PortToWrite& port) {
  Bytes shape;
  for (const int64_t dim : port.dims) {
    Bytes dimension;
    if (dim >= 0)
      put_integer(dimension, 1, dim);
    else
      put_bytes(dimension, 2, "free");
    put_bytes(shape, 1, dimension);
  }
  Bytes tensor, type, out;
  put_integer(tensor, 1, port.type);
  put_bytes(tensor, 2, shape);
  put_bytes(type, 1, tensor);
  put_bytes(out, 1, port.name);
  put_bytes(out, 2, type);
  return out;
}

inline Bytes write_model(const GraphToWrite& graph) {
  Bytes body;
  for (const NodeToWrite& node : graph.nodes) {
    Bytes out;
    for (const std::string& name : node.inputs) put_bytes(out, 1, name);
    for (const std::string& name : node.outputs) put_bytes(out, 2, name);
    put_bytes(out, 3, node.name);
    put_bytes(out, 4, node.op);
    for (const AttributeToWrite& attribute : node.attributes) put_bytes(out, 5, write_attribute(attribute));
    if (!node.domain.empty()) put_bytes(out, 7, node.domain);
    put_bytes(body, 1, out);
  }
  for (const TensorToWrite& tensor : graph.initializers) put_bytes(body, 5, write_tensor(tensor));
  for (const PortToWrite& port : graph.inputs) put_bytes(body, 11, write_port(port));
  for (const PortToWrite& port : graph.outputs) put_bytes(body, 12, write_port(port));
  Bytes opset, model;
  put_integer(opset, 2, graph.opset);
  put_integer(model, 1, 8);
  put_bytes(model, 7, body);
  put_bytes(model, 8, opset);
  return model;
}

}  // namespace gteway::test
