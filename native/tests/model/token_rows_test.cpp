#include "model/token_rows.hpp"

#include <optional>
#include <vector>

#include "test.hpp"

namespace gteway {

TEST("token rows: an output of a usual name before others, and only one of three dimensions") {
  using Shapes = std::vector<OutputShape>;
  const auto chosen = [](const Shapes& shapes) { return choose_token_rows(shapes).value_or(99); };
  CHECK_EQ(chosen({{"sentence_embedding", 2}, {"last_hidden_state", 3}}), size_t{1});
  CHECK_EQ(chosen({{"other", 3}, {"token_embeddings", 3}}), size_t{1});
  CHECK_EQ(chosen({{"token_embeddings", 3}, {"last_hidden_state", 3}}), size_t{1});
  CHECK_EQ(chosen({{"last_hidden_state", 2}, {"anything", 3}, {"more", 3}}), size_t{1});
  CHECK_EQ(chosen({{"last_hidden_state", 0}}), size_t{99});
  CHECK_EQ(chosen({}), size_t{99});
}

TEST("logits: an output of two dimensions of that name, else one with a single number in each row") {
  using Shapes = std::vector<OutputShape>;
  const auto chosen = [](const Shapes& shapes) { return choose_logits(shapes).value_or(99); };
  CHECK_EQ(chosen({{"last_hidden_state", 3, 64}, {"logits", 2, 3}}), size_t{1});
  CHECK_EQ(chosen({{"score", 2, 1}, {"logits", 2, 1}}), size_t{1});
  CHECK_EQ(chosen({{"pooler_output", 2, 64}, {"score", 2, 1}}), size_t{1});
  CHECK_EQ(chosen({{"sentence_embedding", 2, 64}}), size_t{99});
  CHECK_EQ(chosen({{"logits", 3, 30522}}), size_t{99});
  CHECK_EQ(chosen({{"score", 2, -1}}), size_t{99});
}

}  // namespace gteway
