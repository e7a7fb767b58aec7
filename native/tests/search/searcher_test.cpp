#include "search/searcher.hpp"

#include <future>

#include "search/search_case.hpp"

using namespace gteway;
using namespace gteway::test;
using search::Form;
using search::Searcher;
using search::TopK;

TEST("search: threads find what one thread finds, many searches at a time") {
  const size_t dims = 64;
  Searcher searcher(4);
  std::vector<std::unique_ptr<test::Table>> tables;
  std::vector<std::future<search::Found>> results;
  for (const size_t count : {size_t{0}, size_t{3}, size_t{4000}, size_t{20000}})
    for (const Form form : {Form::kFloat32, Form::kInt8, Form::kBits}) {
      tables.push_back(std::make_unique<test::Table>(form, special_rows(count, dims, 4), dims));
      auto promise = std::make_shared<std::promise<search::Found>>();
      results.push_back(promise->get_future());
      std::vector<float> query(dims);
      fill_normal(query.data(), dims, 1);
      searcher.submit(TopK(tables.back()->rows(), query.data(), 1, 25),
                      [promise](std::optional<search::Found> found, std::optional<Error> error) {
                        CHECK(!error);
                        promise->set_value(std::move(*found));
                      });
    }
  std::vector<float> query(dims);
  fill_normal(query.data(), dims, 1);
  for (size_t i = 0; i < results.size(); ++i)
    check_hits(results[i].get().at(0), tables[i]->naive(query.data(), 25));
}

TEST("search: a searcher that ends drops what waits, and no thread reads the rows afterwards") {
  const size_t dims = 64;
  for (int round = 0; round < 20; ++round) {
    // AddressSanitizer sees a read of what is freed below.
    auto table = std::make_unique<test::Table>(Form::kFloat32, special_rows(5000, dims, 4), dims);
    std::atomic<int> done = 0;
    {
      Searcher searcher(3);
      for (int i = 0; i < 10; ++i)
        searcher.submit(TopK(table->rows(), table->floats.data(), 1, 5),
                        [&](std::optional<search::Found>, std::optional<Error>) { ++done; });
    }
    table.reset();
    CHECK(done <= 10);
  }
}
