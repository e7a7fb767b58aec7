#include "model/static_table.hpp"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/in_quotes.hpp"
#include "model/safetensors.hpp"

namespace gteway {
namespace {

// Elements of the file's type, widened as they come, in pieces.
template <class Stored, class Value>
void read_as(const File& file, const NamedTensor& tensor, std::span<Value> out) {
  constexpr size_t kPiece = 1 << 17;
  std::vector<Stored> piece(std::min(kPiece, out.size()));
  for (size_t done = 0; done < out.size(); done += piece.size()) {
    piece.resize(std::min(kPiece, out.size() - done));
    file.read(tensor.bytes.offset + done * sizeof(Stored), std::as_writable_bytes(std::span(piece)));
    std::transform(piece.begin(), piece.end(), out.begin() + static_cast<ptrdiff_t>(done),
                   [](Stored value) { return static_cast<Value>(value); });
  }
}

class Reader {
 public:
  explicit Reader(std::shared_ptr<const File> file)
      : path_(file->path()), file_(read_safetensors(std::move(file))) {}

  StaticTable read() const {
    for (const auto& [name, tensor] : file_.tensors)
      if (name != kVectors && name != kVectorsOfBag && name != kWeights && name != kMapping)
        unsupported("it has the tensor " + in_quotes(name) + ", which no table of token vectors has");
    const NamedTensor* const vectors = find(kVectors) != nullptr ? find(kVectors) : find(kVectorsOfBag);
    if (vectors == nullptr)
      unsupported("it has neither " + in_quotes(kVectors) + " nor " + in_quotes(kVectorsOfBag));
    if (find(kVectors) != nullptr && find(kVectorsOfBag) != nullptr) invalid("it has two tables of vectors");
    if (vectors->shape.size() != 2 || vectors->shape[0] == 0 || vectors->shape[1] == 0)
      invalid("its table of vectors is no matrix");

    StaticTable table;
    table.rows = vectors->shape[0];
    table.dimensions = vectors->shape[1];
    if (table.rows > UINT32_MAX) unsupported("its table has more than 4294967295 rows");
    table.vectors = AlignedBuffer(table.rows * table.dimensions * sizeof(float));
    read_floats(*vectors, "vectors",
                {reinterpret_cast<float*>(table.vectors.data()), table.rows * table.dimensions});
    if (const NamedTensor* const mapping = find(kMapping)) table.row_of = rows_of(*mapping, table.rows);
    if (const NamedTensor* const weights = find(kWeights)) {
      table.weights.resize(elements_of_list(*weights, kWeights));
      read_floats(*weights, "weights", table.weights);
      if (table.weights.size() != table.tokens())
        invalid("it has " + std::to_string(table.weights.size()) + " weights for " +
                std::to_string(table.tokens()) + " tokens");
    }
    file_.file->check_unchanged();
    return table;
  }

 private:
  static constexpr std::string_view kVectors = "embeddings", kVectorsOfBag = "embedding.weight",
                                    kWeights = "weights", kMapping = "mapping";

  [[noreturn]] void unsupported(const std::string& reason) const {
    throw Error(ErrorCode::kModelUnsupported, path_ + " is no static model: " + reason);
  }
  [[noreturn]] void invalid(const std::string& reason) const {
    throw Error(ErrorCode::kModelInvalid, path_ + ": " + reason);
  }

  const NamedTensor* find(std::string_view name) const {
    const auto found = file_.tensors.find(name);
    return found == file_.tensors.end() ? nullptr : &found->second;
  }

  size_t elements_of_list(const NamedTensor& tensor, std::string_view name) const {
    if (tensor.shape.size() != 1) invalid("its tensor " + in_quotes(name) + " is no list");
    return tensor.shape[0];
  }

  void read_floats(const NamedTensor& tensor, const char* what, std::span<float> out) const {
    if (tensor.is_float) return tensor.tensor.read(0, out.size(), out.data());
    if (tensor.dtype == "F64") return read_as<double>(*file_.file, tensor, out);
    // Of vectors that were quantised, without what they were scaled by: their direction is the same.
    if (tensor.dtype == "I8") return read_as<int8_t>(*file_.file, tensor, out);
    unsupported(std::string("its ") + what + " are " + in_quotes(tensor.dtype) +
                "; F32, F16, BF16, F64 and I8 are read");
  }

  std::vector<uint32_t> rows_of(const NamedTensor& mapping, size_t rows) const {
    std::vector<int64_t> stored(elements_of_list(mapping, kMapping));
    const std::span<int64_t> out(stored);
    if (mapping.dtype == "I64")
      read_as<int64_t>(*file_.file, mapping, out);
    else if (mapping.dtype == "I32")
      read_as<int32_t>(*file_.file, mapping, out);
    else
      unsupported("its mapping is " + in_quotes(mapping.dtype) + "; I32 and I64 are read");
    std::vector<uint32_t> row_of;
    row_of.reserve(stored.size());
    for (const int64_t row : stored) {
      if (row < 0 || static_cast<uint64_t>(row) >= rows)
        invalid("its mapping leads to row " + std::to_string(row) + " of " + std::to_string(rows));
      row_of.push_back(static_cast<uint32_t>(row));
    }
    if (row_of.empty()) invalid("its mapping is empty");
    return row_of;
  }

  const std::string path_;
  const SafetensorsFile file_;
};

}  // namespace

StaticTable read_static_table(const std::string& path, std::shared_ptr<const StopFlag> stop) {
  return Reader(File::open(path, std::move(stop))).read();
}

}  // namespace gteway
