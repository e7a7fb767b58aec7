// The best of many scores, held in a heap that never grows beyond what is asked for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace gteway::search {

struct Hit {
  double score;
  size_t index;
};

// Higher scores first, of equal ones the lower index: a total order, so that a result does not depend on who
// found what when.
inline bool before(const Hit& a, const Hit& b) noexcept {
  return a.score != b.score ? a.score > b.score : a.index < b.index;
}

class Best {
 public:
  explicit Best(size_t k) : k_(k) {}

  // NaN is no score: what has it is never among the best. Throws std::bad_alloc.
  void offer(const Hit& hit) {
    if (hit.score != hit.score) return;
    if (heap_.size() < k_) {
      heap_.push_back(hit);
      std::push_heap(heap_.begin(), heap_.end(), before);
    } else if (k_ > 0 && before(hit, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), before);
      heap_.back() = hit;
      std::push_heap(heap_.begin(), heap_.end(), before);
    }
  }

  void offer_all(const Best& other) {
    for (const Hit& hit : other.heap_) offer(hit);
  }

  // Best first; nothing is left.
  std::vector<Hit> take() {
    std::sort(heap_.begin(), heap_.end(), before);
    return std::exchange(heap_, {});
  }

 private:
  size_t k_;
  std::vector<Hit> heap_;  // the worst of them in front
};

}  // namespace gteway::search
