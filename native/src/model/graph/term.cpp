#include "model/graph/term.hpp"

#include <utility>

#include "base/error.hpp"

namespace gteway::graph {
namespace {

template <class T>
void append(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
void append_all(std::string& key, const std::vector<T>& values) {
  append(key, values.size());
  for (const T& value : values) append(key, value);
}

}  // namespace

TermId Terms::intern(Term term) {
  std::string key;
  append(key, term.kind);
  append(key, term.element);
  append(key, term.number);
  append(key, term.tensor);
  append_all(key, term.operands);
  append_all(key, term.shape);
  append_all(key, term.integers);
  // The key, the term, its three lists, and the entry of the map.
  const size_t bytes = 2 * key.size() + sizeof(Term) + 128;
  if (!known_.contains(key) && (bytes_ += bytes) > kMostBytes)
    throw Error(ErrorCode::kModelUnsupported,
                "the graph's values mean more different things than any encoder's");
  const auto [entry, is_new] = known_.emplace(std::move(key), terms_.size());
  if (is_new) terms_.push_back(std::move(term));
  return entry->second;
}

}  // namespace gteway::graph
