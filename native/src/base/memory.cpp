#include "base/memory.hpp"

#include <cstdlib>  // defines __GLIBC__ where it is glibc

#if defined(__GLIBC__)
#include <malloc.h>

#include <mutex>
#endif

namespace gteway {

#if defined(__GLIBC__)
// One thread at a time: where another allocator stands in for glibc's (jemalloc by LD_PRELOAD, a sanitizer),
// this is the first call into glibc's own in the process, and two threads that both set it up are both
// counted out of its first arena when they end, of which the second aborts the process (glibc 2.36,
// __malloc_arena_thread_freeres).
static std::mutex trimming;
#endif

void return_freed_memory() noexcept {
#if defined(__GLIBC__)
  const std::lock_guard lock(trimming);
  malloc_trim(0);
#endif
}

}  // namespace gteway
