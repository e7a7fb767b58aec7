// Exact search: every row is compared with every query, block by block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "search/best.hpp"

namespace gteway::search {

// How rows are kept, and what their score is.
enum class Form {
  kFloat32,  // cosine
  kInt8,     // cosine of the integers; the query is made such a row, its largest component 127
  kBits,     // 1 - 2 × Hamming distance / dims: the cosine of the signs as ±1
};

// `count` rows without gaps, of dims float32, dims int8 or ceil(dims / 8) bytes. Someone else's memory.
struct Rows {
  Form form;
  const void* data;
  size_t count, dims;

  size_t row_bytes() const noexcept;
};

// The most dimensions: what the kernels' sums of integers have room for.
inline constexpr size_t kMostDims = 131071;

// One search of some queries. Immutable, so its blocks can be computed by any threads at the same time.
class TopK {
 public:
  // queries: [count, rows.dims], finite, copied in the rows' form. Throws std::bad_alloc.
  TopK(const Rows& rows, const float* queries, size_t count, size_t k);

  size_t queries() const noexcept { return count_; }
  size_t k() const noexcept { return k_; }
  // Pieces of work: rows that stay in the second-level cache while every query passes over them.
  size_t blocks() const noexcept { return (rows_.count + block_rows_ - 1) / block_rows_; }
  // Products of single values, about: what the whole search costs.
  double cost() const noexcept;

  // Nobody yet, for each query.
  std::vector<Best> nobody() const { return std::vector<Best>(count_, Best(k_)); }
  // The best rows of one block, for each query. Rows whose score is NaN (they hold NaN or infinities) are in
  // no result. Throws std::bad_alloc.
  std::vector<Best> best_of(size_t block) const;

 private:
  Rows rows_;
  size_t count_, k_, block_rows_;
  std::vector<float> floats_;  // the queries, in one of the three
  std::vector<int8_t> integers_;
  std::vector<uint8_t> bits_;
  std::vector<double> squares_;  // of each query its product with itself; none of bits
};

// Everything on this thread, best first for each query. Throws std::bad_alloc.
std::vector<std::vector<Hit>> search_here(const TopK& search);

}  // namespace gteway::search
