// Makes operator new fail, one allocation after the other, to see what becomes of everything else; and knows
// the most memory that was held at once.
#pragma once

#include <cstddef>

namespace gteway::test {

// Numbers allocations from 1 on, those of all threads together, and lets the one numbered `failing` fail; 0:
// none.
void begin_counting(size_t failing) noexcept;
// How many there have been.
size_t allocations() noexcept;

// Allocations that have not been freed, counted or not.
ptrdiff_t live_allocations() noexcept;

// The most bytes that were held at once since begin_peak(), beyond those that were held then.
void begin_peak() noexcept;
size_t peak_bytes() noexcept;

// While it lives, whether this thread's allocations count and may fail: those of the library do, a test's own
// do not. A thread begins with counting.
class CountingScope {
 public:
  explicit CountingScope(bool counts) noexcept;
  ~CountingScope();
  CountingScope(const CountingScope&) = delete;
  CountingScope& operator=(const CountingScope&) = delete;

 private:
  const bool before_;
};
struct Counted : CountingScope {
  Counted() noexcept : CountingScope(true) {}
};
struct Uncounted : CountingScope {
  Uncounted() noexcept : CountingScope(false) {}
};

}  // namespace gteway::test
