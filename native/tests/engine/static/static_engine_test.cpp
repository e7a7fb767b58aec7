#include "engine/static/static_engine.hpp"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "base/error.hpp"
#include "test.hpp"

using namespace gteway;
using namespace gteway::test;

namespace {

StaticTable random_table(size_t rows, size_t dimensions, bool mapped, bool weighted) {
  std::mt19937 generator(static_cast<uint32_t>(rows * 31 + dimensions));
  std::normal_distribution<float> normal;
  StaticTable table;
  table.rows = rows;
  table.dimensions = dimensions;
  table.vectors = AlignedBuffer(rows * dimensions * sizeof(float));
  for (size_t i = 0; i < rows * dimensions; ++i)
    reinterpret_cast<float*>(table.vectors.data())[i] = normal(generator);
  if (mapped)
    for (size_t token = 0; token < 3 * rows; ++token)
      table.row_of.push_back(static_cast<uint32_t>(generator() % rows));
  for (size_t token = 0; weighted && token < table.tokens(); ++token)
    table.weights.push_back(std::fabs(normal(generator)));
  return table;
}

// What model2vec computes, in float64: the mean of the tokens' rows, each times its weight.
std::vector<double> reference(const StaticTable& table, std::span<const int32_t> ids) {
  std::vector<double> mean(table.dimensions);
  for (const int32_t id : ids) {
    const auto token = static_cast<size_t>(id);
    const size_t row = table.row_of.empty() ? token : table.row_of[token];
    const double weight = table.weights.empty() ? 1 : static_cast<double>(table.weights[token]);
    for (size_t d = 0; d < mean.size(); ++d)
      mean[d] += weight * static_cast<double>(table.data()[row * table.dimensions + d]);
  }
  for (double& value : mean) value /= ids.empty() ? 1 : static_cast<double>(ids.size());
  return mean;
}

std::vector<float> embed(Engine& engine, const RaggedBatch& batch, Pooling pooling, bool normalize = false) {
  std::vector<float> out((pooling == Pooling::kNone ? batch.tokens() : batch.size()) *
                         engine.info().dimensions);
  engine.embed(batch, pooling, normalize, 1, out);
  return out;
}

ErrorCode code_of(Engine& engine, const RaggedBatch& batch, Pooling pooling) {
  try {
    (void)embed(engine, batch, pooling);
  } catch (const Error& error) {
    return error.code;
  }
  fail(__FILE__, __LINE__, "it was embedded");
  return ErrorCode::kInternal;
}

}  // namespace

TEST("static engine: rows are the reference's, alone and in a batch to the bit, and without tokens zeros") {
  for (const size_t dimensions : {size_t{1}, size_t{64}, size_t{100}, size_t{256}, size_t{512}})
    for (const bool mapped : {false, true})
      for (const bool weighted : {false, true}) {
        const StaticTable table = random_table(50, dimensions, mapped, weighted);
        const auto engine = make_static_engine(random_table(50, dimensions, mapped, weighted));
        std::vector<int32_t> ids;
        std::vector<uint32_t> offsets = {0};
        std::mt19937 generator(7);
        for (const size_t length : {size_t{3}, size_t{0}, size_t{1}, size_t{700}, size_t{0}}) {
          for (size_t i = 0; i < length; ++i)
            ids.push_back(static_cast<int32_t>(generator() % table.tokens()));
          offsets.push_back(static_cast<uint32_t>(ids.size()));
        }
        const RaggedBatch batch{ids, offsets};
        const std::vector<float> rows = embed(*engine, batch, Pooling::kMean);
        const std::vector<float> unit = embed(*engine, batch, Pooling::kMean, true);
        for (size_t i = 0; i < batch.size(); ++i) {
          const std::vector<double> expected = reference(table, batch.sequence(i));
          double square = 0;
          for (size_t d = 0; d < dimensions; ++d) {
            CHECK_NEAR(rows[i * dimensions + d], expected[d], std::fabs(expected[d]) * 0x1p-23 + 1e-12);
            square +=
                static_cast<double>(unit[i * dimensions + d]) * static_cast<double>(unit[i * dimensions + d]);
          }
          CHECK_NEAR(square, batch.length(i) == 0 ? 0 : 1, 1e-6);
          const uint32_t alone[] = {0, static_cast<uint32_t>(batch.length(i))};
          const std::vector<float> row = embed(*engine, {batch.sequence(i), alone}, Pooling::kMean);
          CHECK(std::memcmp(row.data(), &rows[i * dimensions], dimensions * sizeof(float)) == 0);
        }
        const std::vector<float> of_tokens = embed(*engine, batch, Pooling::kNone);
        for (size_t t = 0; t < ids.size(); ++t) {
          const std::vector<double> expected = reference(table, {&ids[t], 1});
          for (size_t d = 0; d < dimensions; ++d)
            CHECK_NEAR(of_tokens[t * dimensions + d], expected[d], std::fabs(expected[d]) * 0x1p-23);
        }
      }
}

TEST("static engine: says what it is, and refuses what it has not") {
  const auto engine = make_static_engine(random_table(10, 8, false, false), 77);
  CHECK_EQ(engine->info().engine, "static");
  CHECK_EQ(engine->info().dtype, "fp32");
  CHECK_EQ(engine->info().dimensions, 8u);
  CHECK_EQ(engine->info().labels, 0u);
  CHECK_EQ(engine->cost().max_batch_tokens, 77u);
  const std::vector<int32_t> ids = {1, 2}, beyond = {1, 10}, negative = {-1, 1}, types = {0, 1};
  const std::vector<uint32_t> offsets = {0, 2}, crossed = {0, 3, 2}, short_of = {0, 1};
  CHECK(code_of(*engine, {ids, offsets}, Pooling::kCls) == ErrorCode::kModelUnsupported);
  CHECK(code_of(*engine, {ids, offsets}, Pooling::kScore) == ErrorCode::kModelUnsupported);
  CHECK(code_of(*engine, {ids, offsets, types}, Pooling::kMean) == ErrorCode::kModelUnsupported);
  CHECK(code_of(*engine, {beyond, offsets}, Pooling::kMean) == ErrorCode::kModelInvalid);
  CHECK(code_of(*engine, {negative, offsets}, Pooling::kMean) == ErrorCode::kModelInvalid);
  CHECK(code_of(*engine, {ids, crossed}, Pooling::kMean) == ErrorCode::kInvalidArgument);
  CHECK(code_of(*engine, {ids, short_of}, Pooling::kMean) == ErrorCode::kInvalidArgument);
  std::vector<float> small(7);
  CHECK_THROWS(Error, engine->embed({ids, offsets}, Pooling::kMean, false, 1, small), "room for 7");
  engine->terminate();
  CHECK(code_of(*engine, {ids, offsets}, Pooling::kMean) == ErrorCode::kAborted);
}
