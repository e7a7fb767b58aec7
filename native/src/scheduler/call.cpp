#include "scheduler/call.hpp"

#include <algorithm>
#include <utility>

#include "kernels/kernels.hpp"

namespace gteway {

namespace {

// What the workers have to read: a query again with each of its texts.
size_t bytes_to_read(const TextBlock& texts, const Queries& queries) {
  size_t bytes = texts.bytes.size();
  for (size_t i = 0; !queries.empty() && i < texts.size(); ++i) bytes += queries.of_text(i).size();
  return bytes;
}

}  // namespace

Call::Call(Submission submission, std::shared_ptr<Account> account_)
    : account(std::move(account_)),
      number(submission.number),
      texts(std::move(submission.texts)),
      queries(std::move(submission.queries)),
      options(submission.options),
      urgency(urgency_of(texts.size(), bytes_to_read(texts, queries))),
      submitted(Clock::now()),
      done(std::move(submission.done)),
      unsettled(texts.size()) {
  result.tokens.resize(texts.size());
  result.truncated.resize(texts.size());
  if (options.pooling == Pooling::kNone)
    result.pieces.resize(texts.size());
  else
    result.pieces.emplace_back(texts.size() * options.dimensions);
  ready.reserve(texts.size());
  bytes = texts.bytes.size() + queries.texts.bytes.size();
  for (size_t i = 0; i < texts.size(); ++i) bytes += expected_row_bytes(i);
}

size_t Call::expected_row_bytes(size_t i) const noexcept {
  if (options.pooling != Pooling::kNone) return 0;
  const size_t most = texts.text(i).size() + account->tokenizer->special_tokens_added();
  return std::min(most, options.max_tokens) * options.dimensions * sizeof(float);
}

size_t Call::row_bytes(size_t i) const noexcept {
  return options.pooling == Pooling::kNone ? result.tokens[i] * options.dimensions * sizeof(float) : 0;
}

void Call::put(uint32_t text, std::span<const float> rows, size_t engine_dimensions) {
  const size_t count = rows.size() / engine_dimensions, kept = options.dimensions;
  float* to = nullptr;
  if (options.pooling == Pooling::kNone) {
    result.pieces[text] = FloatBuffer(count * kept);
    to = result.pieces[text].data();
  } else {
    to = result.pieces[0].data() + text * kept;
  }
  const float* from = rows.data();
  for (size_t row = 0; row < count; ++row, from += engine_dimensions, to += kept) {
    std::copy_n(from, kept, to);
    if (options.normalize && options.pooling != Pooling::kScore) kernels::active().l2_normalize_f32(to, kept);
  }
}

void Call::begin_batch(Clock::time_point now) {
  if (first_batch != Clock::time_point()) return;
  first_batch = now;
  tokenizing_before_batch = tokenizing;
}

Embedded Call::take_result() noexcept {
  std::sort(errors.begin(), errors.end(),
            [](const ItemError& a, const ItemError& b) { return a.text < b.text; });
  for (const ItemError& failed : errors) {
    result.tokens[failed.text] = 0;
    result.truncated[failed.text] = 0;
    if (options.pooling == Pooling::kNone)
      result.pieces[failed.text] = {};
    else
      std::fill_n(result.pieces[0].data() + failed.text * options.dimensions, options.dimensions, 0.0F);
  }
  result.errors = std::move(errors);
  return std::move(result);
}

Account::Account(ClientOptions options_, std::shared_ptr<const Tokenizer> tokenizer_, OnLoaded loaded_)
    : options(options_),
      tokenizer(std::move(tokenizer_)),
      cache(options.cache_bytes > 0 ? std::make_unique<VectorCache>(options.cache_bytes) : nullptr),
      loaded(std::move(loaded_)) {}

bool Account::has_room(size_t texts, size_t bytes) const {
  if (texts_in_flight == 0 || texts == 0) return true;
  return texts_in_flight + texts <= options.max_queue && bytes_in_flight + bytes <= options.max_queue_bytes;
}

}  // namespace gteway
