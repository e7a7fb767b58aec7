// Measures the tokenizer on one thread: whole, stage by stage, and on hostile texts.
//
//   gteway_tokenizer_bench CONFIG TEXTS corpus|hostile|limited
//
// CONFIG and TEXTS are what bench/tokenizer/native.mjs writes: length-prefixed records, so that no JSON
// parser is needed here. Prints one JSON object per line.
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
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/pretokenizer.hpp"
#include "tokenizer/utf8.hpp"

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

std::string repeated(std::string_view unit, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  return text;
}

// Texts in which a careless tokenizer takes time that grows with the square of their length.
void hostile(const Tokenizer& tokenizer) {
  std::string unknown, marks, mixed_marks;
  for (char32_t point = 0x10400; point < 0x10450; ++point) utf8::append(unknown, point);
  utf8::append(marks, 0x301);
  utf8::append(mixed_marks, 0x302E);
  utf8::append(mixed_marks, 0x1D165);
  std::string chinese;
  for (char32_t point = 0x4E00; point < 0x4E40; ++point) utf8::append(chinese, point);
  const std::pair<const char*, std::string> units[] = {
      {"one word of letters", "a"},
      {"one word of random letters", "qzjxkvbwpyg"},
      {"combining marks, all removed", marks},
      {"combining marks, kept and reordered", mixed_marks},
      {"unknown characters", unknown},
      {"unknown words", "qzjx jqkv xxqz "},
      {"words of 100 letters", std::string(100, 'a') + ' '},
      {"[MASK]", "[MASK]"},
      {"[MASK without its end", "[MASK"},
      {"spaces", " "},
      {"punctuation", "!"},
      {"Chinese", chinese},
      {"control characters", "\x01"},
      {"malformed bytes", "\xFF"},
  };
  for (const auto& [name, unit] : units) {
    for (const size_t bytes : {size_t{10'000}, size_t{100'000}, size_t{1'000'000}}) {
      const std::string text = repeated(unit, bytes);
      std::vector<int32_t> ids;
      const Time time = measure(3, [&] {
        ids.clear();
        tokenizer.encode(text, Tokenizer::kNoLimit, false, ids);
      });
      report(name, text.size(), ids.size(), time);
    }
  }
}

// What a limit of 512 tokens costs on a text of 50 MB, and on no more of it than those tokens.
void limited(const Tokenizer& tokenizer, const std::string& joined) {
  const std::string text = repeated(joined, 50'000'000);
  size_t bytes = 0;
  while (bytes < joined.size() && tokenizer.count(std::string_view(text).substr(0, bytes), true) < 512)
    bytes += 64;
  for (const auto& [name, part] : {std::pair<const char*, std::string_view>{"50 MB cut at 512 tokens", text},
                                   {"its first 512 tokens alone", std::string_view(text).substr(0, bytes)}}) {
    std::vector<int32_t> ids;
    const Time time = measure(9, [&] {
      ids.clear();
      tokenizer.encode(part, 512, true, ids);
    });
    report(name, bytes, ids.size(), time);
  }
}

void corpus(const Tokenizer& tokenizer, const std::vector<std::string>& texts, const std::string& joined) {
  std::vector<int32_t> ids;
  size_t bytes = 0, tokens = 0;
  for (const std::string& text : texts) {
    bytes += text.size();
    tokens += tokenizer.count(text, true);
  }
  report("one call per text", bytes, tokens, measure(9, [&] {
           for (const std::string& text : texts) {
             ids.clear();
             tokenizer.encode(text, Tokenizer::kNoLimit, true, ids);
           }
         }));
  tokens = tokenizer.count(joined, true);
  report("all texts joined", joined.size(), tokens, measure(9, [&] {
           ids.clear();
           tokenizer.encode(joined, Tokenizer::kNoLimit, true, ids);
         }));
  report("stages 1 to 3, ids only counted", joined.size(), tokens,
         measure(9, [&] { tokenizer.count(joined, true); }));

  const ByteScanner scanner({true, true, true, true});
  const auto block = std::make_unique<ScannedBlock>();
  size_t words = 0;
  report("stages 1 and 2: clean, lower, split", joined.size(), tokens, measure(9, [&] {
           for (size_t at = 0; at < joined.size(); at += ScannedBlock::kBytes) {
             block->scan(std::string_view(joined).substr(at, ScannedBlock::kBytes), scanner);
             words += block->words;
           }
         }));
  std::vector<char> copy(joined.size());
  report("(memcpy)", joined.size(), words > 0 ? tokens : 0, measure(9, [&] {
           std::memcpy(copy.data(), joined.data(), joined.size());
           asm volatile("" ::"r"(copy.data()) : "memory");
         }));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: gteway_tokenizer_bench CONFIG TEXTS corpus|hostile|limited\n";
    return 2;
  }
  const Tokenizer tokenizer(read_config(Records(argv[1])));
  Records records(argv[2]);
  std::vector<std::string> texts;
  std::string joined;
  while (records.more()) {
    texts.push_back(records.text());
    joined += texts.back() + '\n';
  }
  const std::string_view mode = argv[3];
  if (mode == "corpus") corpus(tokenizer, texts, joined);
  if (mode == "hostile") hostile(tokenizer);
  if (mode == "limited") limited(tokenizer, joined);
  return 0;
}
