#include <algorithm>
#include <chrono>
#include <exception>

#include "test.hpp"

namespace gteway::test {

static int failures_in_this_test = 0;

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

void fail(const char* file, int line, const std::string& message) {
  // A loop over a million values that all differ should not print a million lines.
  if (++failures_in_this_test <= 20) std::cout << "  " << file << ':' << line << ": " << message << '\n';
}

static int run(const Case& test) {
  failures_in_this_test = 0;
  const auto began = std::chrono::steady_clock::now();
  try {
    test.body();
  } catch (const Skipped& skipped) {
    std::cout << "SKIP " << test.name << ": " << skipped.what() << '\n';
    return 77;
  } catch (const std::exception& error) {
    fail("unexpected exception", 0, error.what());
  }
  std::cout << (failures_in_this_test == 0 ? "ok   " : "FAIL ") << test.name;
  // What makes a run long is seen in its output.
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  if (took.count() >= 1000) std::cout << " (" << took.count() << " ms)";
  std::cout << std::endl;
  return failures_in_this_test == 0 ? 0 : 1;
}

}  // namespace gteway::test

int main(int argc, char** argv) {
  using namespace gteway::test;
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  if (wanted.size() == 1 && wanted[0] == "--list") {
    for (const Case& test : cases()) std::cout << test.name << '\n';
    return 0;
  }
  size_t ran = 0, failed = 0, skipped = 0;
  for (const Case& test : cases()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), test.name) == wanted.end()) continue;
    ++ran;
    const int status = run(test);
    failed += status == 1;
    skipped += status == 77;
  }
  std::cout << ran - failed - skipped << " passed, " << failed << " failed, " << skipped << " skipped\n";
  if (ran == 0) {
    std::cout << "no test has that name\n";
    return 1;
  }
  if (failed > 0) return 1;
  return skipped == ran ? 77 : 0;
}
