#include "search/top_k.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/kernels.hpp"
#include "kernels/matrix.hpp"

namespace gteway::search {
namespace {

// Half of the smallest second-level cache of today's processors.
constexpr size_t kBlockBytes = 128 * 1024;

double cosine(double product, double square, double other_square) noexcept {
  const double squares = square * other_square;
  return squares == 0 ? 0.0 : product / std::sqrt(squares);
}

// As Embeddings.toInt8() makes them.
void to_int8(const float* x, size_t dims, int8_t* out) noexcept {
  double largest = 0;
  for (size_t d = 0; d < dims; ++d) largest = std::max(largest, std::fabs(static_cast<double>(x[d])));
  const float scale = largest > 0 ? static_cast<float>(127 / largest) : 0.0f;
  kernels::active().f32_to_i8(x, dims, scale, out);
}

// score_with(row) is called with each row of `bytes` bytes from `first` to `end`, which gives
// score(query) → double.
template <class ScoreWith>
std::vector<Best> scan(std::vector<Best> best, const Rows& rows, size_t first, size_t end,
                       ScoreWith score_with) {
  const size_t bytes = rows.row_bytes();
  for (size_t row = first; row < end; ++row) {
    const auto score = score_with(static_cast<const std::byte*>(rows.data) + row * bytes);
    for (size_t query = 0; query < best.size(); ++query) best[query].offer({score(query), row});
  }
  return best;
}

}  // namespace

size_t Rows::row_bytes() const noexcept {
  switch (form) {
    case Form::kFloat32:
      return dims * sizeof(float);
    case Form::kInt8:
      return dims;
    case Form::kBits:
      break;
  }
  return (dims + 7) / 8;
}

TopK::TopK(const Rows& rows, const float* queries, size_t count, size_t k)
    : rows_(rows),
      count_(count),
      k_(std::min(k, rows.count)),
      block_rows_(std::max<size_t>(kBlockBytes / std::max<size_t>(rows.row_bytes(), 1), 1)) {
  const kernels::Table& table = kernels::active();
  const size_t dims = rows.dims;
  switch (rows.form) {
    case Form::kFloat32:
      floats_.assign(queries, queries + count * dims);
      for (size_t q = 0; q < count; ++q)
        squares_.push_back(table.dot_f32(queries + q * dims, queries + q * dims, dims));
      break;
    case Form::kInt8:
      integers_.resize(count * dims);
      for (size_t q = 0; q < count; ++q) {
        int8_t* const query = integers_.data() + q * dims;
        to_int8(queries + q * dims, dims, query);
        squares_.push_back(table.dot_i8(query, query, dims));
      }
      break;
    case Form::kBits:
      bits_.resize(count * rows.row_bytes());
      kernels::rows_to_bits(queries, count, dims, bits_.data());
      break;
  }
}

double TopK::cost() const noexcept {
  const double bytes = static_cast<double>(rows_.count) * static_cast<double>(rows_.row_bytes());
  return bytes / sizeof(float) * static_cast<double>(count_);
}

std::vector<Best> TopK::best_of(size_t block) const {
  const kernels::Table& table = kernels::active();
  const size_t first = block * block_rows_, end = std::min(first + block_rows_, rows_.count);
  const size_t dims = rows_.dims;
  switch (rows_.form) {
    case Form::kFloat32:
      return scan(nobody(), rows_, first, end, [&](const void* data) {
        const auto* row = static_cast<const float*>(data);
        return [&, row, square = table.dot_f32(row, row, dims)](size_t query) {
          return cosine(table.dot_f32(floats_.data() + query * dims, row, dims), squares_[query], square);
        };
      });
    case Form::kInt8:
      return scan(nobody(), rows_, first, end, [&](const void* data) {
        const auto* row = static_cast<const int8_t*>(data);
        return [&, row, square = static_cast<double>(table.dot_i8(row, row, dims))](size_t query) {
          return cosine(table.dot_i8(integers_.data() + query * dims, row, dims), squares_[query], square);
        };
      });
    case Form::kBits:
      break;
  }
  const size_t bytes = rows_.row_bytes();
  return scan(nobody(), rows_, first, end, [&](const void* data) {
    const auto* row = static_cast<const uint8_t*>(data);
    return [&, row](size_t query) {
      const double distance = table.hamming_bits(bits_.data() + query * bytes, row, bytes);
      return 1 - 2 * distance / static_cast<double>(dims);
    };
  });
}

std::vector<std::vector<Hit>> search_here(const TopK& search) {
  std::vector<Best> best = search.nobody();
  for (size_t block = 0; block < search.blocks(); ++block) {
    const std::vector<Best> of_block = search.best_of(block);
    for (size_t query = 0; query < best.size(); ++query) best[query].offer_all(of_block[query]);
  }
  std::vector<std::vector<Hit>> result;
  for (Best& each : best) result.push_back(each.take());
  return result;
}

}  // namespace gteway::search
