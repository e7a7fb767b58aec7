// Measures the tokenizer on one thread: whole, stage by stage, and on hostile texts.
//
//   gteway_tokenizer_bench CONFIG TEXTS MODE
//
// CONFIG and TEXTS are what bench/tokenizer/native.ts writes: length-prefixed records, so that no JSON parser
// is needed here. Prints one JSON object per line.
#include "tokenizer/tokenizer.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

using namespace gteway;

namespace {

// Records of a uint32 length and as many bytes, little endian.
class Records {
 public:
  explicit Records(const char* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      std::cerr << path << " cannot be read\n";
      std::exit(1);
    }
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }
  bool more() const { return at_ < bytes_.size(); }
  std::string text() {
    const uint32_t length = number();
    at_ += length;
    return bytes_.substr(at_ - length, length);
  }
  uint32_t number() {
    uint32_t value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

TokenizerConfig read_config(Records records) {
  TokenizerConfig config;
  for (uint32_t tokens = records.number(); tokens > 0; --tokens) {
    config.vocabulary_tokens.push_back(records.text());
    config.vocabulary_ids.push_back(static_cast<int32_t>(records.number()));
  }
  config.unk_token = records.text();
  config.continuing_subword_prefix = records.text();
  config.max_input_chars_per_word = records.number();
  config.clean_text = records.number();
  config.handle_chinese_chars = records.number();
  config.strip_accents = records.number();
  config.lowercase = records.number();
  for (auto* ids : {&config.prefix_ids, &config.suffix_ids})
    for (uint32_t count = records.number(); count > 0; --count)
      ids->push_back(static_cast<int32_t>(records.number()));
  for (uint32_t tokens = records.number(); tokens > 0; --tokens) {
    AddedToken token;
    token.content = records.text();
    token.id = static_cast<int32_t>(records.number());
    token.single_word = records.number();
    token.lstrip = records.number();
    token.rstrip = records.number();
    token.normalized = records.number();
    token.special = records.number();
    config.added_tokens.push_back(token);
  }
  return config;
}

// Processor time of this thread: what other programs on the machine take is not ours.
double now() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
#else
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
}

template <class Body>
double seconds(Body&& body) {
  const double begin = now();
  body();
  return now() - begin;
}

struct Time {
  double median, best;
};

// Of `runs` timings of at least 20 ms each, per pass.
template <class Body>
Time measure(int runs, Body&& body) {
  body();
  std::vector<double> times;
  for (int run = 0; run < runs; ++run) {
    size_t passes = 0;
    double total = 0;
    while (total < 0.02) {
      total += seconds(body);
      ++passes;
    }
    times.push_back(total / static_cast<double>(passes));
  }
  std::sort(times.begin(), times.end());
  return {times[static_cast<size_t>(runs / 2)], times.front()};
}

void report(const char* name, size_t bytes, size_t tokens, Time time) {
  std::printf(
      "{\"case\":\"%s\",\"bytes\":%zu,\"tokens\":%zu,\"mbPerSecond\":%.1f,\"bestMbPerSecond\":%.1f,"
      "\"nsPerByte\":%.4f}\n",
      name, bytes, tokens, static_cast<double>(bytes) / time.median / 1e6,
      static_cast<double>(bytes) / time.best / 1e6, time.median * 1e9 / static_cast<double>(bytes));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: gteway_tokenizer_bench CONFIG TEXTS\n";
    return 2;
  }
  const Tokenizer tokenizer(read_config(Records(argv[1])));
  Records records(argv[2]);
  std::vector<std::string> texts;
  while (records.more()) texts.push_back(records.text());
  size_t bytes = 0;
  std::string joined;
  for (const std::string& text : texts) {
    bytes += text.size();
    joined += text;
    joined += '\n';
  }
  std::vector<int32_t> ids;
  const Time each = measure(15, [&] {
    for (const std::string& text : texts) {
      ids.clear();
      tokenizer.encode(text, Tokenizer::kNoLimit, true, ids);
    }
  });
  size_t tokens = 0;
  for (const std::string& text : texts) tokens += tokenizer.count(text, true);
  report("one call per text", bytes, tokens, each);
  const Time whole = measure(15, [&] {
    ids.clear();
    tokenizer.encode(joined, Tokenizer::kNoLimit, true, ids);
  });
  report("all texts joined", joined.size(), ids.size(), whole);
  return 0;
}
