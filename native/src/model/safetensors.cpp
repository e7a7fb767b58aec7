#include "model/safetensors.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/in_quotes.hpp"
#include "model/json.hpp"

namespace gteway {
namespace {

struct StoredType {
  std::string_view name;
  size_t bytes;
};
constexpr std::array<StoredType, 12> kStoredTypes = {{{"F32", 4},
                                                      {"F16", 2},
                                                      {"BF16", 2},
                                                      {"F64", 8},
                                                      {"I64", 8},
                                                      {"I32", 4},
                                                      {"I16", 2},
                                                      {"I8", 1},
                                                      {"U8", 1},
                                                      {"BOOL", 1},
                                                      {"F8_E4M3", 1},
                                                      {"F8_E5M2", 1}}};

struct Extent {
  size_t begin, end;
  std::string_view name;
};

class Reader {
 public:
  explicit Reader(std::shared_ptr<const File> file) : path_(file->path()) { result_.file = std::move(file); }

  SafetensorsFile read() {
    const uint64_t size = result_.file->size();
    std::array<std::byte, 8> prefix{};
    if (size < prefix.size()) fail("it is shorter than the length of a header");
    result_.file->read(0, prefix);
    uint64_t header_length = 0;
    for (size_t i = 0; i < prefix.size(); ++i)
      header_length |= std::to_integer<uint64_t>(prefix[i]) << (8 * i);
    if (header_length > size - prefix.size())
      fail("its header claims " + std::to_string(header_length) + " bytes, the file has " +
           std::to_string(size));
    if (header_length > kMostJsonBytes)
      fail("its header has " + std::to_string(header_length) + " bytes, and " +
           std::to_string(kMostJsonBytes) + " are the most that are read");
    data_begin_ = prefix.size() + header_length;
    data_length_ = size - data_begin_;
    const Json json = read_header(static_cast<size_t>(header_length));
    if (json.kind != Json::Kind::kObject) fail("its header is not an object");
    for (const auto& [name, entry] : json.fields)
      if (name != "__metadata__") add(name, entry);
    check_extents();
    return std::move(result_);
  }

 private:
  Json read_header(size_t length) const {
    std::string text(length, '\0');
    result_.file->read(data_begin_ - length, std::as_writable_bytes(std::span(text)));
    return parse_json(text, path_ + ": the header");
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::kModelInvalid, path_ + " is not a safetensors file: " + reason);
  }

  static std::string tensor_called(std::string_view name) { return "tensor " + in_quotes(name); }

  void add(const std::string& name, const Json& entry) {
    const Json* dtype = entry.field("dtype");
    const Json* shape = entry.field("shape");
    const Json* offsets = entry.field("data_offsets");
    if (dtype == nullptr || dtype->kind != Json::Kind::kString || shape == nullptr ||
        shape->kind != Json::Kind::kArray || offsets == nullptr || offsets->items.size() != 2)
      fail(tensor_called(name) + " lacks dtype, shape or data_offsets");
    const auto* stored = std::find_if(kStoredTypes.begin(), kStoredTypes.end(),
                                      [&](const StoredType& type) { return type.name == dtype->string; });
    if (stored == kStoredTypes.end())
      fail(tensor_called(name) + " has the unknown dtype " + in_quotes(dtype->string));

    NamedTensor tensor;
    tensor.dtype = dtype->string;
    size_t elements = 1;
    for (const Json& item : shape->items) {
      const std::optional<size_t> dimension = item.size();
      if (!dimension) fail(tensor_called(name) + " has a dimension that is no size");
      if (*dimension != 0 && elements > std::numeric_limits<size_t>::max() / 16 / *dimension)
        fail(tensor_called(name) + " is larger than memory");
      elements *= *dimension;
      tensor.shape.push_back(*dimension);
    }
    const std::optional<size_t> begin = offsets->items[0].size(), end = offsets->items[1].size();
    if (!begin || !end || *begin > *end || *end > data_length_)
      fail(tensor_called(name) + " lies outside the file");
    if (*end - *begin != elements * stored->bytes)
      fail(tensor_called(name) + " has " + std::to_string(*end - *begin) + " bytes, its shape wants " +
           std::to_string(elements * stored->bytes));

    tensor.bytes = {data_begin_ + *begin, *end - *begin};
    tensor.is_float = stored - kStoredTypes.begin() < 3;
    if (tensor.is_float) {
      tensor.tensor.file = result_.file.get();
      tensor.tensor.offset = data_begin_ + *begin;
      tensor.tensor.type = stored->name == "F32"   ? ElementType::kF32
                           : stored->name == "F16" ? ElementType::kF16
                                                   : ElementType::kBf16;
      tensor.tensor.elements = elements;
    }
    const auto placed = result_.tensors.emplace(name, std::move(tensor)).first;
    extents_.push_back({*begin, *end, placed->first});
  }

  // The format allows neither gaps nor overlaps.
  void check_extents() {
    std::sort(extents_.begin(), extents_.end(), [](const Extent& a, const Extent& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    size_t expected = 0;
    for (const Extent& extent : extents_) {
      if (extent.begin != expected)
        fail(tensor_called(extent.name) + " begins at byte " + std::to_string(extent.begin) +
             " of the data, where byte " + std::to_string(expected) + " is next");
      expected = extent.end;
    }
    if (expected != data_length_)
      fail("its tensors end at byte " + std::to_string(expected) + " of the data, the file at " +
           std::to_string(data_length_));
  }

  const std::string path_;
  SafetensorsFile result_;
  uint64_t data_begin_ = 0, data_length_ = 0;
  std::vector<Extent> extents_;
};

}  // namespace

SafetensorsFile read_safetensors(std::shared_ptr<const File> file) { return Reader(std::move(file)).read(); }

}  // namespace gteway
