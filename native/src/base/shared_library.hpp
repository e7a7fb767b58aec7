// Opening shared libraries at run time. They are never closed: code of theirs may still run when we would.
#pragma once

#include <string>

namespace gteway {

// A handle, or null with `reason` set to the loader's own words. `path` is UTF-8 and absolute: no search path
// is involved.
void* open_shared_library(const std::string& path, std::string& reason);

// Null when the library has no such symbol.
void* shared_library_symbol(void* library, const char* name) noexcept;

// Keeps the library that contains this code in the process for ever. Node may unload an addon when a worker
// ends, while our threads still run its code, and ONNX Runtime would go on calling our logger.
void keep_own_library() noexcept;

}  // namespace gteway
