// TensorProto: its elements come as plain bytes, as lists of numbers, or in another file.
#include <charconv>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "base/in_quotes.hpp"
#include "model/onnx_source.hpp"

namespace gteway {
namespace {

[[noreturn]] void invalid(const std::string& reason) { throw Error(ErrorCode::kModelInvalid, reason); }

// The field of TensorProto that lists elements of `type`.
uint32_t list_of(OnnxType type) {
  if (type == OnnxType::kFloat) return 4;
  if (type == OnnxType::kDouble) return 10;
  return type == OnnxType::kInt64 ? 7 : 5;
}

class TensorParser {
 public:
  explicit TensorParser(OnnxSource& source) : source_(source) {}

  OnnxTensor parse(FileRange message) {
    OnnxTensor tensor;
    Elements elements;
    ProtobufReader reader(source_.window, message);
    for (ProtobufField field; source_.next(reader, field);) {
      switch (field.number) {
        case 1:
          source_.append_integers(tensor.dims, field);
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
          source_.append_integers(elements.integers, field);
          elements.list = field.number;
          break;
        case 8:
          tensor.name = source_.text(field);
          break;
        case 9:
          if (elements.raw) invalid("tensor " + in_quotes(tensor.name) + " has its data twice");
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

 private:
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
    for (size_t i = 0; i < size; ++i)
      source_.append(to.typed, static_cast<std::byte>(field.value >> (8 * i)));
  }

  // One entry of a map of strings.
  void parse_external(FileRange message, Elements& to) {
    to.is_external = true;
    std::string_view key, value;
    ProtobufReader reader(source_.window, message);
    for (ProtobufField field; source_.next(reader, field);) {
      if (field.number == 1) key = source_.text(field);
      if (field.number == 2) value = source_.text(field);
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
      invalid("the " + std::string(key) + " of external data, " + in_quotes(digits) + ", is no number");
    return number;
  }

  void place(OnnxTensor& tensor, Elements& from) {
    const std::string name = "tensor " + in_quotes(tensor.name);
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
      tensor.file = source_.file.get();
      tensor.offset = from.raw->offset;
      return;
    }
    if (!from.integers.empty()) narrow(from.integers, element, from.typed);
    check_bytes(name, from.typed.size(), elements * element);
    static constexpr std::byte kNothing{};
    tensor.data = &kNothing;
    if (!from.typed.empty()) tensor.data = source_.memory->tensors.emplace_back(std::move(from.typed)).data();
  }

  void place_external(OnnxTensor& tensor, const Elements& from, size_t element) {
    const File* const file = source_.external.open(std::string(from.location), tensor.reason);
    if (file == nullptr) return;
    const uint64_t wanted = tensor.elements * element;
    if (from.length) check_bytes("tensor " + in_quotes(tensor.name), *from.length, wanted);
    if (from.offset > file->size() || wanted > file->size() - from.offset)
      invalid("tensor " + in_quotes(tensor.name) + " lies outside of " + file->path() + ", which has " +
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
    source_.budget.take_bytes(integers.size() * element);
    to.reserve(integers.size() * element);
    for (const int64_t value : integers)
      for (size_t i = 0; i < element; ++i)
        to.push_back(static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i)));
  }

  OnnxSource& source_;
};

}  // namespace

OnnxTensor parse_onnx_tensor(OnnxSource& source, FileRange message) {
  return TensorParser(source).parse(message);
}

}  // namespace gteway
