#include "search/search_case.hpp"

using namespace gteway;
using namespace gteway::test;
using search::Form;

TEST("search: every form finds what a naive loop finds, to the bit, over many blocks too") {
  for (const Form form : {Form::kFloat32, Form::kInt8, Form::kBits}) {
    for (const size_t dims : {size_t{1}, size_t{9}, size_t{100}, size_t{385}}) {
      for (const size_t count : {size_t{0}, size_t{1}, size_t{37}, size_t{500}}) {
        const test::Table table(form, special_rows(count, dims, static_cast<uint32_t>(dims + count)), dims);
        std::vector<float> queries(3 * dims);
        fill_normal(queries.data(), 2 * dims, 99);  // and the zero vector
        for (const size_t k : {size_t{1}, size_t{10}, size_t{1000}}) {
          const auto found = search::search_here(search::TopK(table.rows(), queries.data(), 3, k));
          CHECK_EQ(found.size(), size_t{3});
          for (size_t query = 0; query < 3; ++query)
            check_hits(found[query], table.naive(queries.data() + query * dims, k));
        }
      }
    }
  }
}

TEST("search: rows larger than a block are blocks of one") {
  const size_t dims = 40000;
  const test::Table table(Form::kFloat32, special_rows(4, dims, 5), dims);
  const search::TopK search(table.rows(), table.floats.data(), 1, 3);
  CHECK_EQ(search.blocks(), size_t{4});
  check_hits(search::search_here(search)[0], table.naive(table.floats.data(), 3));
}

TEST("search: of no queries is nothing") {
  const test::Table table(Form::kBits, special_rows(4, 8, 5), 8);
  CHECK(search::search_here(search::TopK(table.rows(), nullptr, 0, 3)).empty());
}
