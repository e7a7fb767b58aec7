#include "scheduler/call.hpp"

#include <algorithm>
#include <utility>

#include "kernels/kernels.hpp"

namespace gteway {

Call::Call(Submission submission, std::shared_ptr<Account> account_)
    : account(std::move(account_)),
      number(submission.number),
      texts(std::move(submission.texts)),
      options(submission.options),
      urgency(urgency_of(texts.size(), texts.bytes.size())),
      submitted(Clock::now()),
      done(std::move(submission.done)),
      unsettled(texts.size()) {
  result.tokens.resize(texts.size());
  result.truncated.resize(texts.size());
  if (options.pooling == Pooling::kNone)
    token_rows.resize(texts.size());
  else
    result.data = FloatBuffer(texts.size() * options.dimensions);
}

void Call::put(uint32_t text, std::span<const float> rows, size_t engine_dimensions) {
  const size_t count = rows.size() / engine_dimensions, kept = options.dimensions;
  float* to = nullptr;
  if (options.pooling == Pooling::kNone) {
    token_rows[text].resize(count * kept);
    to = token_rows[text].data();
  } else {
    to = result.data.data() + text * kept;
  }
  const float* from = rows.data();
  for (size_t row = 0; row < count; ++row, from += engine_dimensions, to += kept) {
    std::copy_n(from, kept, to);
    if (options.normalize) kernels::active().l2_normalize_f32(to, kept);
  }
}

void Call::begin_batch(Clock::time_point now) {
  if (first_batch != Clock::time_point()) return;
  first_batch = now;
  tokenizing_before_batch = tokenizing;
}

Embedded Call::take_result() {
  std::sort(errors.begin(), errors.end(),
            [](const ItemError& a, const ItemError& b) { return a.text < b.text; });
  for (const ItemError& failed : errors) {
    result.tokens[failed.text] = 0;
    result.truncated[failed.text] = 0;
    if (options.pooling == Pooling::kNone)
      token_rows[failed.text].clear();
    else
      std::fill_n(result.data.data() + failed.text * options.dimensions, options.dimensions, 0.0F);
  }
  result.errors = std::move(errors);
  if (options.pooling == Pooling::kNone) {
    size_t size = 0;
    for (const std::vector<float>& rows : token_rows) size += rows.size();
    result.data = FloatBuffer(size);
    float* to = result.data.data();
    for (std::vector<float>& rows : token_rows) {
      to = std::copy(rows.begin(), rows.end(), to);
      rows = {};
    }
  }
  return std::move(result);
}

Account::Account(ClientOptions options_, std::shared_ptr<const Tokenizer> tokenizer_)
    : options(options_),
      tokenizer(std::move(tokenizer_)),
      cache(options.cache_bytes > 0 ? std::make_unique<VectorCache>(options.cache_bytes) : nullptr) {}

bool Account::has_room(size_t texts, size_t bytes) const {
  if (texts_in_flight == 0 || texts == 0) return true;
  return texts_in_flight + texts <= options.max_queue && bytes_in_flight + bytes <= options.max_queue_bytes;
}

}  // namespace gteway
