#include "model/safetensors.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/error.hpp"
#include "model/json.hpp"

namespace gteway {
namespace {

// The format's own limit.
constexpr uint64_t kLongestHeader = 100'000'000;

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
  explicit Reader(const std::string& path) : path_(path) { result_.file = MappedFile::open(path); }

  SafetensorsFile read() {
    const std::span<const std::byte> bytes = result_.file->bytes();
    uint64_t header_length = 0;
    if (bytes.size() < sizeof header_length) fail("it is shorter than the length of a header");
    for (size_t i = 0; i < sizeof header_length; ++i)
      header_length |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
    if (header_length > kLongestHeader || header_length > bytes.size() - sizeof header_length)
      fail("its header claims " + std::to_string(header_length) + " bytes, the file has " +
           std::to_string(bytes.size()));
    const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + sizeof header_length,
                                  static_cast<size_t>(header_length));
    const Json json = parse_json(header, path_ + ": the header");
    if (json.kind != Json::Kind::kObject) fail("its header is not an object");
    data_ = bytes.subspan(sizeof header_length + static_cast<size_t>(header_length));
    for (const auto& [name, entry] : json.fields)
      if (name != "__metadata__") add(name, entry);
    check_extents();
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::kModelInvalid, path_ + " is not a safetensors file: " + reason);
  }

  void add(const std::string& name, const Json& entry) {
    const Json* dtype = entry.field("dtype");
    const Json* shape = entry.field("shape");
    const Json* offsets = entry.field("data_offsets");
    if (dtype == nullptr || dtype->kind != Json::Kind::kString || shape == nullptr ||
        shape->kind != Json::Kind::kArray || offsets == nullptr || offsets->items.size() != 2)
      fail("tensor '" + name + "' lacks dtype, shape or data_offsets");
    const auto* stored = std::find_if(kStoredTypes.begin(), kStoredTypes.end(),
                                      [&](const StoredType& type) { return type.name == dtype->string; });
    if (stored == kStoredTypes.end()) fail("tensor '" + name + "' has the unknown dtype " + dtype->string);

    NamedTensor tensor;
    tensor.dtype = dtype->string;
    size_t elements = 1;
    for (const Json& item : shape->items) {
      const std::optional<size_t> dimension = item.size();
      if (!dimension) fail("tensor '" + name + "' has a dimension that is no size");
      if (*dimension != 0 && elements > std::numeric_limits<size_t>::max() / 16 / *dimension)
        fail("tensor '" + name + "' is larger than memory");
      elements *= *dimension;
      tensor.shape.push_back(*dimension);
    }
    const std::optional<size_t> begin = offsets->items[0].size(), end = offsets->items[1].size();
    if (!begin || !end || *begin > *end || *end > data_.size())
      fail("tensor '" + name + "' lies outside the file");
    if (*end - *begin != elements * stored->bytes)
      fail("tensor '" + name + "' has " + std::to_string(*end - *begin) + " bytes, its shape wants " +
           std::to_string(elements * stored->bytes));

    tensor.is_float = stored - kStoredTypes.begin() < 3;
    if (tensor.is_float) {
      tensor.tensor.data = data_.data() + *begin;
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
        fail("tensor '" + std::string(extent.name) + "' begins at byte " + std::to_string(extent.begin) +
             " of the data, where byte " + std::to_string(expected) + " is next");
      expected = extent.end;
    }
    if (expected != data_.size())
      fail("its tensors end at byte " + std::to_string(expected) + " of the data, the file at " +
           std::to_string(data_.size()));
  }

  const std::string& path_;
  SafetensorsFile result_;
  std::span<const std::byte> data_;
  std::vector<Extent> extents_;
};

}  // namespace

SafetensorsFile read_safetensors(const std::string& path) { return Reader(path).read(); }

}  // namespace gteway
