// Rows of each form, and the search that nobody could get wrong.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernel_case.hpp"
#include "kernels/matrix.hpp"
#include "search/top_k.hpp"

namespace gteway::test {

// Normally distributed rows with a few of each kind that is special: equal ones, zeros, NaN, infinities.
inline std::vector<float> special_rows(size_t count, size_t dims, uint32_t seed) {
  std::vector<float> rows(count * dims);
  fill_normal(rows.data(), rows.size(), seed);
  for (size_t row = 0; row < count; ++row) {
    float* const values = rows.data() + row * dims;
    if (row % 7 == 3) std::fill_n(values, dims, 0.0f);
    if (row % 11 == 5) std::copy_n(rows.data(), dims, values);
    if (row % 13 == 6) values[row % dims] = kNan;
    if (row % 17 == 9) values[row % dims] = row % 2 ? kInf : -kInf;
  }
  return rows;
}

struct Table {
  search::Form form;
  std::vector<float> floats;
  std::vector<int8_t> integers;
  std::vector<uint8_t> bits;
  size_t count, dims;

  Table(search::Form form_, const std::vector<float>& from, size_t dims_)
      : form(form_), floats(from), integers(from.size()), count(from.size() / dims_), dims(dims_) {
    for (size_t row = 0; row < count; ++row) quantize(from.data() + row * dims, integers.data() + row * dims);
    bits = signs(from);
  }

  void quantize(const float* x, int8_t* out) const {
    float largest = 0;
    for (size_t d = 0; d < dims; ++d) largest = std::max(largest, std::fabs(x[d]));
    kernels::table_for("scalar").f32_to_i8(x, dims, largest > 0 ? static_cast<float>(127.0 / largest) : 0,
                                           out);
  }
  std::vector<uint8_t> signs(const std::vector<float>& x) const {
    const size_t bytes = (dims + 7) / 8;
    std::vector<uint8_t> out(x.size() / dims * bytes);
    for (size_t row = 0; row < x.size() / dims; ++row)
      for (size_t d = 0; d < dims; ++d)
        if (x[row * dims + d] > 0) out[row * bytes + d / 8] |= static_cast<uint8_t>(0x80 >> d % 8);
    return out;
  }

  search::Rows rows() const {
    const void* const data = form == search::Form::kFloat32 ? static_cast<const void*>(floats.data())
                             : form == search::Form::kInt8  ? static_cast<const void*>(integers.data())
                                                            : bits.data();
    return {form, data, count, dims};
  }

  double score(const float* query, size_t row) const {
    if (form == search::Form::kFloat32) {
      const float* const values = floats.data() + row * dims;
      for (size_t d = 0; d < dims; ++d)
        if (!std::isfinite(values[d])) return kNan;  // whatever the query, the zero vector too
      return kernels::table_for("scalar").cosine_f32(query, values, dims);
    }
    if (form == search::Form::kInt8) {
      std::vector<int8_t> asked(dims);
      quantize(query, asked.data());
      double ab = 0, aa = 0, bb = 0;
      for (size_t d = 0; d < dims; ++d) {
        const double a = asked[d], b = integers[row * dims + d];
        ab += a * b, aa += a * a, bb += b * b;
      }
      return aa * bb == 0 ? 0 : ab / std::sqrt(aa * bb);
    }
    const std::vector<uint8_t> asked = signs(std::vector<float>(query, query + dims));
    double distance = 0;
    for (size_t d = 0; d < dims; ++d)
      distance += ((asked[d / 8] ^ bits[row * asked.size() + d / 8]) >> (7 - d % 8)) & 1;
    return 1 - 2 * distance / static_cast<double>(dims);
  }

  std::vector<search::Hit> naive(const float* query, size_t k) const {
    std::vector<search::Hit> all;
    for (size_t row = 0; row < count; ++row) {
      const double of_row = score(query, row);
      if (!std::isnan(of_row)) all.push_back({of_row, row});
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const search::Hit& a, const search::Hit& b) { return a.score > b.score; });
    all.resize(std::min(all.size(), k));
    return all;
  }
};

inline void check_hits(const std::vector<search::Hit>& found, const std::vector<search::Hit>& expected) {
  CHECK_EQ(found.size(), expected.size());
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    CHECK_EQ(found[i].index, expected[i].index);
    CHECK(same(found[i].score, expected[i].score));
  }
}

}  // namespace gteway::test
