#include "allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__APPLE__)
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

namespace gteway::test {
namespace {

constinit std::atomic<bool> counting = false;
constinit std::atomic<size_t> counted = 0;
constinit std::atomic<size_t> failing_one = 0;
constinit std::atomic<ptrdiff_t> live = 0;
constinit thread_local bool counts_here = true;
constinit std::atomic<ptrdiff_t> held = 0, most_held = 0, held_before = 0;

ptrdiff_t size_of(void* memory) noexcept {
#if defined(__APPLE__)
  return static_cast<ptrdiff_t>(malloc_size(memory));
#else
  return static_cast<ptrdiff_t>(malloc_usable_size(memory));
#endif
}

void hold(ptrdiff_t bytes) noexcept {
  const ptrdiff_t now = held.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  for (ptrdiff_t most = most_held.load(std::memory_order_relaxed); now > most;)
    if (most_held.compare_exchange_weak(most, now, std::memory_order_relaxed)) break;
}

void* allocate(size_t size, size_t alignment) noexcept {
  if (counting.load(std::memory_order_relaxed) && counts_here && ++counted == failing_one) return nullptr;
  void* memory = nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__)
    memory = std::malloc(size > 0 ? size : 1);
  else
    memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory != nullptr) {
    ++live;
    hold(size_of(memory));
  }
  return memory;
}

void release(void* memory) noexcept {
  if (memory != nullptr) {
    --live;
    hold(-size_of(memory));
  }
  std::free(memory);
}

}  // namespace

void begin_counting(size_t failing) noexcept {
  counted = 0;
  failing_one = failing;
  counting = true;
}

size_t allocations() noexcept { return counted; }

ptrdiff_t live_allocations() noexcept { return live; }

void begin_peak() noexcept {
  held_before = held.load();
  most_held = held.load();
}

size_t peak_bytes() noexcept { return static_cast<size_t>(most_held - held_before); }

CountingScope::CountingScope(bool counts) noexcept : before_(counts_here) { counts_here = counts; }
CountingScope::~CountingScope() { counts_here = before_; }

}  // namespace gteway::test

using gteway::test::allocate;
using gteway::test::release;

namespace {

void* allocate_or_throw(size_t size, size_t alignment) {
  if (void* memory = allocate(size, alignment)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// All forms, since AddressSanitizer has each of its own.
void* operator new(size_t size) { return allocate_or_throw(size, 1); }
void* operator new[](size_t size) { return allocate_or_throw(size, 1); }
void* operator new(size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<size_t>(alignment));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { release(memory); }
