#include "model/static_table.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "temporary_file.hpp"
#include "test.hpp"

namespace gteway {
namespace {

using test::fail;
using test::TemporaryFile;

// A safetensors file of such tensors, end to end.
struct Stored {
  const char* name;
  const char* dtype;
  std::string shape;  // "[2,3]"
  std::string bytes;
};

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string file_of(const std::vector<Stored>& tensors) {
  std::string header = "{", data;
  for (const Stored& tensor : tensors) {
    if (data.size() + header.size() > 1) header += header.size() > 1 ? "," : "";
    header += "\"" + std::string(tensor.name) + R"(":{"dtype":")" + tensor.dtype + R"(","shape":)" +
              tensor.shape + R"(,"data_offsets":[)" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + tensor.bytes.size()) + "]}";
    data += tensor.bytes;
  }
  header += "}";
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  return out + header + data;
}

StaticTable read(const std::vector<Stored>& tensors) {
  const TemporaryFile file(".safetensors", file_of(tensors));
  return read_static_table(file.path());
}

const Stored kTwoByTwo = {"embeddings", "F32", "[2,2]", bytes_of<float>({1, 2, 3, 4})};

TEST("static table: every type of number is read, under either name") {
  for (const char* name : {"embeddings", "embedding.weight"})
    for (const auto& [dtype, bytes] : std::vector<std::pair<const char*, std::string>>{
             {"F32", bytes_of<float>({1, -2, 0.5F, 4})},
             {"F64", bytes_of<double>({1, -2, 0.5, 4})},
             {"F16", bytes_of<uint16_t>({0x3C00, 0xC000, 0x3800, 0x4400})},
             {"BF16", bytes_of<uint16_t>({0x3F80, 0xC000, 0x3F00, 0x4080})}}) {
      const StaticTable table = read({{name, dtype, "[2,2]", bytes}});
      CHECK_EQ(table.rows, 2u);
      CHECK_EQ(table.dimensions, 2u);
      CHECK_EQ(table.tokens(), 2u);
      CHECK_EQ((std::vector<float>(table.data(), table.data() + 4)), (std::vector<float>{1, -2, 0.5F, 4}));
      CHECK(table.row_of.empty() && table.weights.empty());
    }
  const StaticTable bytes = read({{"embeddings", "I8", "[1,3]", bytes_of<int8_t>({-127, 0, 5})}});
  CHECK_EQ((std::vector<float>(bytes.data(), bytes.data() + 3)), (std::vector<float>{-127, 0, 5}));
}

TEST("static table: a mapping and weights are of tokens, not of rows") {
  for (const bool wide : {false, true}) {
    const StaticTable table = read({kTwoByTwo,
                                    {"mapping", wide ? "I64" : "I32", "[3]",
                                     wide ? bytes_of<int64_t>({1, 0, 1}) : bytes_of<int32_t>({1, 0, 1})},
                                    {"weights", "F64", "[3]", bytes_of<double>({0.25, 1, 2})}});
    CHECK_EQ(table.rows, 2u);
    CHECK_EQ(table.tokens(), 3u);
    CHECK_EQ(table.row_of, (std::vector<uint32_t>{1, 0, 1}));
    CHECK_EQ(table.weights, (std::vector<float>{0.25F, 1, 2}));
  }
}

TEST("static table: a table longer than a piece of reading comes whole") {
  std::vector<double> values(300'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 1000);
  const StaticTable table = read({{"embeddings", "F64", "[300,1000]", bytes_of(values)}});
  for (size_t i = 0; i < values.size(); ++i) CHECK_EQ(table.data()[i], static_cast<float>(i % 1000));
}

TEST("static table: what is no such table is refused with the reason") {
  struct Refused {
    std::vector<Stored> tensors;
    ErrorCode code;
    const char* reason;
  };
  const auto unsupported = ErrorCode::kModelUnsupported, invalid = ErrorCode::kModelInvalid;
  const std::vector<Refused> cases = {
      {{}, unsupported, "neither 'embeddings' nor 'embedding.weight'"},
      {{kTwoByTwo, {"head", "F32", "[1]", bytes_of<float>({1})}}, unsupported, "tensor 'head'"},
      {{kTwoByTwo, {"embedding.weight", "F32", "[1,1]", bytes_of<float>({1})}}, invalid, "two tables"},
      {{{"embeddings", "F32", "[2]", bytes_of<float>({1, 2})}}, invalid, "no matrix"},
      {{{"embeddings", "F32", "[0,4]", ""}}, invalid, "no matrix"},
      {{{"embeddings", "U8", "[1,1]", "a"}}, unsupported, "'U8'"},
      {{kTwoByTwo, {"mapping", "F32", "[2]", bytes_of<float>({0, 1})}}, unsupported, "mapping is 'F32'"},
      {{kTwoByTwo, {"mapping", "I32", "[2]", bytes_of<int32_t>({0, 2})}}, invalid, "row 2 of 2"},
      {{kTwoByTwo, {"mapping", "I32", "[2]", bytes_of<int32_t>({-1, 0})}}, invalid, "row -1"},
      {{kTwoByTwo, {"mapping", "I32", "[0]", ""}}, invalid, "empty"},
      {{kTwoByTwo, {"mapping", "I32", "[1,2]", bytes_of<int32_t>({0, 1})}}, invalid, "no list"},
      {{kTwoByTwo, {"weights", "F32", "[3]", bytes_of<float>({1, 1, 1})}}, invalid, "3 weights for 2 tokens"},
  };
  for (const Refused& each : cases) {
    try {
      (void)read(each.tensors);
      fail(__FILE__, __LINE__, std::string("was read: ") + each.reason);
    } catch (const Error& error) {
      CHECK_EQ(static_cast<int>(error.code), static_cast<int>(each.code));
      if (std::string(error.what()).find(each.reason) == std::string::npos)
        fail(__FILE__, __LINE__, std::string(error.what()) + " does not say " + each.reason);
    }
  }
}

}  // namespace
}  // namespace gteway
