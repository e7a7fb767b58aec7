// What the C library does with freed memory.
#pragma once

namespace gteway {

// Gives freed memory back to the system, where the C library would keep it for reuse: glibc holds some 80 MB
// after a model of 133 MB was loaded. Takes milliseconds; for the end of loading and closing, not for hot
// paths.
void return_freed_memory() noexcept;

}  // namespace gteway
