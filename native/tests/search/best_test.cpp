#include "search/best.hpp"

#include <random>

#include "kernels/kernel_case.hpp"

using gteway::search::Best;
using gteway::search::Hit;

static std::vector<size_t> indices(const std::vector<Hit>& hits) {
  std::vector<size_t> result;
  for (const Hit& hit : hits) result.push_back(hit.index);
  return result;
}

TEST("search: Best holds what sorting all of them would put first, ties by the lower index, in any order") {
  std::mt19937 random(7);
  for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{50}, size_t{300}}) {
    std::vector<Hit> all;
    for (size_t i = 0; i < count; ++i) all.push_back({static_cast<double>(random() % 9), i});
    std::shuffle(all.begin(), all.end(), random);
    for (const size_t k : {size_t{0}, size_t{1}, size_t{2}, size_t{10}, count, count + 5}) {
      Best best(k), first(k), second(k);
      for (const Hit& hit : all) {
        best.offer(hit);
        (hit.index % 3 == 0 ? first : second).offer(hit);
      }
      first.offer_all(second);
      std::vector<Hit> sorted = all;
      std::sort(sorted.begin(), sorted.end(), [](const Hit& a, const Hit& b) {
        return a.score > b.score || (a.score == b.score && a.index < b.index);
      });
      sorted.resize(std::min(k, count));
      CHECK_EQ(indices(best.take()), indices(sorted));
      CHECK_EQ(indices(first.take()), indices(sorted));
    }
  }
}

TEST("search: Best takes no NaN, and every other number") {
  Best best(5);
  const double inf = std::numeric_limits<double>::infinity();
  const double scores[] = {std::nan(""), -inf, 0, inf, std::nan(""), -0.0};
  for (size_t i = 0; i < std::size(scores); ++i) best.offer({scores[i], i});
  CHECK_EQ(indices(best.take()), (std::vector<size_t>{3, 2, 5, 1}));
}
