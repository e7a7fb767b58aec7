#include "tokenizer/wordpiece.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

namespace {

constexpr size_t kFirst = 0, kRest = 1;

size_t count_code_points(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

// Punctuation and white space are words of their own, so an entry that holds them beside anything else never
// matches.
bool can_begin_a_word(std::string_view token) {
  return token.size() == 1 || std::none_of(token.begin(), token.end(), [](char byte) {
           const auto point = static_cast<unsigned char>(byte);
           return point < 0x80 &&
                  (unicode::properties(point).flags & (unicode::kPunctuation | unicode::kWhitespace));
         });
}

std::array<std::vector<DoubleArray::Key>, 2> trie_keys(const WordPiece::Config& config) {
  const std::string_view prefix = config.continuing_subword_prefix;
  const size_t max_chars = config.max_input_chars_per_word;
  std::array<std::vector<DoubleArray::Key>, 2> keys;
  // Backwards: of equal keys the trie keeps the first, the vocabulary the last.
  for (size_t i = config.tokens.size(); i-- > 0;) {
    const std::string_view token = config.tokens[i];
    if ((config.any_words || can_begin_a_word(token)) && count_code_points(token) <= max_chars)
      keys[kFirst].push_back({token, config.ids[i]});
    if (token.starts_with(prefix)) {
      const std::string_view rest = token.substr(prefix.size());
      if (count_code_points(rest) < max_chars) keys[kRest].push_back({rest, config.ids[i]});
    }
  }
  return keys;
}

}  // namespace

WordPiece::WordPiece(const Config& config) : max_chars_(config.max_input_chars_per_word) {
  const auto unk = std::find(config.tokens.rbegin(), config.tokens.rend(), config.unk_token);
  if (unk == config.tokens.rend()) {
    throw Error(ErrorCode::kTokenizerInvalid,
                "the tokenizer's model: unk_token \"" + config.unk_token + "\" is not in its vocabulary");
  }
  unk_id_ = config.ids[config.ids.size() - 1 - static_cast<size_t>(unk - config.tokens.rbegin())];

  const DoubleArray trie(trie_keys(config));
  first_root_ = trie.root(kFirst);
  rest_root_ = trie.root(kRest);
  nodes_.resize(trie.size());
  for (uint32_t place = 0; place < nodes_.size(); ++place) {
    const DoubleArray::Unit& unit = trie.units()[place];
    nodes_[place] = {unit.base, unit.parent, DoubleArray::kNone, 0};
  }

  // Real vocabularies need a few entries per node. Tokens of ten thousand letters would need their square.
  constexpr size_t kMaxPops = size_t{1} << 26;
  pops_.push_back(0);
  std::vector<int32_t> popped;
  const auto append = [&](uint32_t node) {
    const int32_t* pops = &pops_[nodes_[node].pops];
    popped.insert(popped.end(), pops + 1, pops + 1 + pops[0]);
  };
  for (const DoubleArray::Edge& edge : trie.edges_by_depth()) {
    popped.clear();
    uint32_t fail = DoubleArray::kNone;
    if (trie.value(edge.child) >= 0) {
      popped.push_back(trie.value(edge.child));
      fail = rest_root_;
    } else {
      append(edge.parent);
      for (uint32_t from = nodes_[edge.parent].fail; from != DoubleArray::kNone; from = nodes_[from].fail) {
        fail = trie.child(from, edge.byte);
        if (fail != DoubleArray::kNone) break;
        append(from);
      }
      if (fail == DoubleArray::kNone) popped.clear();
    }
    nodes_[edge.child].fail = fail;
    if (popped.empty()) continue;
    nodes_[edge.child].pops = static_cast<uint32_t>(pops_.size());
    if (pops_.size() + popped.size() + 1 > kMaxPops) {
      throw Error(ErrorCode::kTokenizerUnsupported,
                  "the tokenizer's model: its vocabulary's tokens are too long to be matched in linear time");
    }
    pops_.push_back(static_cast<int32_t>(popped.size()));
    pops_.insert(pops_.end(), popped.begin(), popped.end());
  }
}

size_t WordPiece::walk(std::string_view text, uint32_t node, int32_t* ids) const noexcept {
  const Node* const nodes = nodes_.data();
  size_t count = 0;
  // Leaves the node by its failure link; false where there is none: no way to write the word.
  const auto fall = [&] {
    const Node& from = nodes[node];
    if (from.fail == DoubleArray::kNone) return false;
    const int32_t* pops = &pops_[from.pops];
    for (int32_t i = 1; i <= pops[0]; ++i) ids[count++] = pops[i];
    node = from.fail;
    return true;
  };
  for (const char byte : text) {
    const auto label = static_cast<unsigned char>(byte);
    uint32_t next;
    while (nodes[next = nodes[node].base ^ label].parent != node) {
      if (!fall()) return 0;
    }
    node = next;
  }
  while (node != rest_root_) {
    if (!fall()) return 0;
  }
  return count;
}

}  // namespace gteway
