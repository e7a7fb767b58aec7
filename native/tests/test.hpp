// A test harness small enough to build with nothing but the compiler: the fresh machine that runs `npm test`
// has no C++ test framework, and none is on the npm registry.
//
//   TEST("tokenizer: an empty text is only its special tokens") { CHECK_EQ(ids.size(), 2u); }
//
// `gteway_tests --list` prints the names, one a line; `gteway_tests NAME…` runs those, without arguments all.
// Exit status 0: all passed. 77: the test called SKIP(reason), which is printed. 1: a failure, printed with
// its values. tests/native/native-tests.test.ts runs each as a vitest test.
#pragma once

#include <cmath>
#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace gteway::test {

struct Case {
  std::string name;
  std::function<void()> body;
};

std::vector<Case>& cases();
void fail(const char* file, int line, const std::string& message);  // records; the test goes on

struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Registers a test under a name made at run time: one test per instruction set, say.
inline bool add(std::string name, std::function<void()> body) {
  cases().push_back({std::move(name), std::move(body)});
  return true;
}

template <class T>
std::string show(const T& value) {
  std::ostringstream out;
  if constexpr (requires { out << value; }) {
    out.precision(9);
    out << value;
  } else if constexpr (requires { value.begin(); }) {
    out << '[';
    for (const auto& item : value) out << show(item) << ' ';
    out << ']';
  } else if constexpr (std::is_enum_v<T>) {
    out << static_cast<long long>(value);
  } else {
    out << '?';
  }
  return out.str();
}

template <class A, class B>
void check_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (!(a == b)) fail(file, line, std::string(text) + ": " + show(a) + " is not " + show(b));
}

template <class E, class F>
void check_throws(F&& body, const char* text, const char* file, int line, const std::string& part) {
  try {
    body();
  } catch (const E& error) {
    if (std::string(error.what()).find(part) == std::string::npos)
      fail(file, line, std::string(text) + ": message \"" + error.what() + "\" lacks \"" + part + "\"");
    return;
  }
  fail(file, line, std::string(text) + ": nothing was thrown");
}

}  // namespace gteway::test

#define GTEWAY_JOIN_(a, b) a##b
#define GTEWAY_JOIN(a, b) GTEWAY_JOIN_(a, b)
#define TEST(name)                                                        \
  static void GTEWAY_JOIN(test_body_, __LINE__)();                        \
  [[maybe_unused]] static const bool GTEWAY_JOIN(test_added_, __LINE__) = \
      ::gteway::test::add(name, GTEWAY_JOIN(test_body_, __LINE__));       \
  static void GTEWAY_JOIN(test_body_, __LINE__)()
#define CHECK(condition)                                                                 \
  do {                                                                                   \
    if (!(condition)) ::gteway::test::fail(__FILE__, __LINE__, "not true: " #condition); \
  } while (0)
#define CHECK_EQ(a, b) ::gteway::test::check_equal((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_NEAR(a, b, tolerance)                                                                          \
  do {                                                                                                       \
    const double a_ = (a), b_ = (b);                                                                         \
    if (!(std::fabs(a_ - b_) <= (tolerance)))                                                                \
      ::gteway::test::fail(                                                                                  \
          __FILE__, __LINE__,                                                                                \
          std::string(#a " near " #b ": ") + ::gteway::test::show(a_) + " and " + ::gteway::test::show(b_)); \
  } while (0)
#define CHECK_THROWS(type, expression, part) \
  ::gteway::test::check_throws<type>([&] { (void)(expression); }, #expression, __FILE__, __LINE__, part)
#define SKIP(reason) throw ::gteway::test::Skipped(reason)
