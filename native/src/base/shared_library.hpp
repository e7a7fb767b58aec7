// Opening shared libraries at run time. They are never closed: code of theirs may still run when we would.
#pragma once

#include <string>

namespace gteway {

// A handle, or null with `reason` set to the loader's own words. `path` is UTF-8 and absolute: no search path
// is involved.
void* open_shared_library(const std::string& path, std::string& reason);

// Null when the library has no such symbol.
void* shared_library_symbol(void* library, const char* name) noexcept;

}  // namespace gteway
