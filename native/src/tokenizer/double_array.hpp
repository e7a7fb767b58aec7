// A byte trie in two arrays (Aoe 1989): a step is one load and one comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace gteway {

// Node 0 is never a node, so that "no node" is 0.
class DoubleArray {
 public:
  static constexpr uint32_t kNone = 0;

  struct Key {
    std::string_view bytes;
    int32_t value;  // ≥ 0
  };

  // Builds one trie per group of keys, all of them in the same arrays; roots()[i] is where group i begins. Of
  // equal keys in a group the first counts. An empty key is left out.
  explicit DoubleArray(std::span<const std::vector<Key>> groups);

  uint32_t root(size_t group) const noexcept { return roots_[group]; }
  size_t size() const noexcept { return units_.size(); }  // of the arrays, unused places included

  uint32_t child(uint32_t node, unsigned char byte) const noexcept {
    const uint32_t next = units_[node].base ^ byte;
    return units_[next].parent == node ? next : kNone;
  }

  struct Unit {
    uint32_t base = 0;
    uint32_t parent = 0;  // 0: unused, or a root
  };
  const std::vector<Unit>& units() const noexcept { return units_; }

  // The value of the key that ends at this node, or -1.
  int32_t value(uint32_t node) const noexcept { return values_[node]; }

  struct Edge {
    uint32_t parent, child;
    unsigned char byte;
  };
  // Every edge, those nearer to a root first.
  const std::vector<Edge>& edges_by_depth() const noexcept { return edges_; }
  void forget_edges() { edges_ = {}; }

 private:
  uint32_t place(std::span<const unsigned char> bytes);
  void grow();
  void take(uint32_t unit);

  std::vector<Unit> units_;
  std::vector<int32_t> values_;
  std::vector<uint32_t> roots_;
  std::vector<Edge> edges_;
  // Only while building: free places as a ring through their neighbours.
  std::vector<uint32_t> next_free_, previous_free_;
  uint32_t search_from_ = 0;
};

}  // namespace gteway
