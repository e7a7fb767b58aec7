#include "scheduler/vector_cache.hpp"

#include <atomic>
#include <thread>

#include "test.hpp"

namespace gteway {
namespace {

CacheKey key(std::string_view text, Pooling pooling = Pooling::kMean, size_t max_tokens = 512) {
  return {text, pooling, max_tokens};
}

CachedVector vector_of(float value) { return {{value, value}, 3, false}; }

float first_of(VectorCache& cache, const CacheKey& wanted) {
  const auto found = cache.find(wanted);
  return found ? found->row.front() : -1.0F;
}

TEST("cache: what was inserted is found, and hits and misses are counted") {
  VectorCache cache(1 << 20);
  CHECK_EQ(first_of(cache, key("a")), -1.0F);
  cache.insert(key("a"), vector_of(1));
  CHECK_EQ(first_of(cache, key("a")), 1.0F);
  CHECK_EQ(cache.counters().hits, 1u);
  CHECK_EQ(cache.counters().misses, 1u);
  CHECK_EQ(cache.counters().entries, 1u);
}

TEST("cache: of pairs the query, and where it ends, tell entries apart") {
  VectorCache cache(1 << 20);
  const auto pair = [](std::string_view query, std::string_view text) {
    CacheKey of_pair = key(text, Pooling::kScore);
    of_pair.query = query;
    return of_pair;
  };
  cache.insert(pair("ab", "c"), vector_of(1));
  cache.insert(pair("a", "bc"), vector_of(2));
  cache.insert(pair("", "abc"), vector_of(3));
  cache.insert(key("abc", Pooling::kScore), vector_of(4));
  CHECK_EQ(first_of(cache, pair("ab", "c")), 1.0F);
  CHECK_EQ(first_of(cache, pair("a", "bc")), 2.0F);
  CHECK_EQ(first_of(cache, pair("", "abc")), 3.0F);
  CHECK_EQ(first_of(cache, key("abc", Pooling::kScore)), 4.0F);
  CHECK_EQ(first_of(cache, pair("abc", "")), -1.0F);
}

TEST("cache: text, pooling and token limit tell entries apart") {
  VectorCache cache(1 << 20);
  cache.insert(key("a"), vector_of(1));
  cache.insert(key("a", Pooling::kCls), vector_of(2));
  cache.insert(key("a", Pooling::kMean, 8), vector_of(3));
  cache.insert(key(std::string_view("a\0", 2)), vector_of(4));
  cache.insert(key(""), vector_of(5));
  CHECK_EQ(first_of(cache, key("a")), 1.0F);
  CHECK_EQ(first_of(cache, key("a", Pooling::kCls)), 2.0F);
  CHECK_EQ(first_of(cache, key("a", Pooling::kMean, 8)), 3.0F);
  CHECK_EQ(first_of(cache, key(std::string_view("a\0", 2))), 4.0F);
  CHECK_EQ(first_of(cache, key("")), 5.0F);
}

TEST("cache: equal hashes are not equal texts") {
  VectorCache cache(1 << 20, [](std::string_view) -> size_t { return 7; });
  for (int i = 0; i < 50; ++i) cache.insert(key(std::to_string(i)), vector_of(static_cast<float>(i)));
  for (int i = 0; i < 50; ++i) CHECK_EQ(first_of(cache, key(std::to_string(i))), static_cast<float>(i));
  CHECK_EQ(first_of(cache, key("50")), -1.0F);
}

TEST("cache: the bytes stay within the bound, and the least recently used leaves first") {
  VectorCache cache(4000);
  for (int i = 0; i < 100; ++i) {
    cache.insert(key(std::to_string(i)), vector_of(static_cast<float>(i)));
    cache.find(key("0"));
    CHECK(cache.counters().bytes <= 4000);
  }
  CHECK_EQ(first_of(cache, key("0")), 0.0F);
  CHECK_EQ(first_of(cache, key("1")), -1.0F);
  CHECK_EQ(first_of(cache, key("99")), 99.0F);
  CHECK(cache.counters().entries > 5 && cache.counters().entries < 50);
}

TEST("cache: an entry larger than the cache is not kept, and drives nothing out") {
  VectorCache cache(2000);
  cache.insert(key("small"), vector_of(1));
  cache.insert(key(std::string(4000, 'x')), vector_of(2));
  CHECK_EQ(first_of(cache, key("small")), 1.0F);
  CHECK_EQ(cache.counters().entries, 1u);
}

TEST("cache: a vector found stays valid after it was driven out") {
  VectorCache cache(600);
  cache.insert(key("a"), vector_of(1));
  const auto held = cache.find(key("a"));
  for (int i = 0; i < 20; ++i) cache.insert(key(std::to_string(i)), vector_of(2));
  CHECK_EQ(first_of(cache, key("a")), -1.0F);
  CHECK_EQ(held->row.front(), 1.0F);
}

TEST("cache: many threads at once") {
  VectorCache cache(20'000);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&cache, &wrong, t] {
      for (int i = 0; i < 2000; ++i) {
        const int text = (i * 7 + t) % 100;
        const std::string name = std::to_string(text);
        if (const auto found = cache.find(key(name)))
          wrong += found->row.front() != static_cast<float>(text);
        else
          cache.insert(key(name), vector_of(static_cast<float>(text)));
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), 0);
  CHECK_EQ(cache.counters().hits + cache.counters().misses, 8000u);
}

}  // namespace
}  // namespace gteway
