#include "base/shared_library.hpp"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

namespace gteway {

void* open_shared_library(const std::string& path, std::string& reason) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), length);
  // ALTERED_SEARCH_PATH: libraries it needs are looked for beside it.
  HMODULE handle = LoadLibraryExW(wide.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
  if (handle == nullptr) reason = path + ": Windows error " + std::to_string(GetLastError());
  return handle;
}

void* shared_library_symbol(void* library, const char* name) noexcept {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

void keep_own_library() noexcept {
  HMODULE self = nullptr;
  (void)GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                           reinterpret_cast<LPCWSTR>(&keep_own_library), &self);
}

}  // namespace gteway
#else
#include <dlfcn.h>

namespace gteway {

void* open_shared_library(const std::string& path, std::string& reason) {
  // LOCAL: another addon may bring its own copy of the same library, and must keep its own symbols.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* words = dlerror();
    reason = words != nullptr ? words : path + ": unknown error";
  }
  return handle;
}

void* shared_library_symbol(void* library, const char* name) noexcept { return dlsym(library, name); }

void keep_own_library() noexcept {
#if defined(__APPLE__)
  Dl_info self;
  if (dladdr(reinterpret_cast<const void*>(&keep_own_library), &self) != 0)
    (void)dlopen(self.dli_fname, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE | RTLD_NOLOAD);
#endif
  // Elsewhere the file itself says so: native/CMakeLists.txt links it with -z nodelete.
}

}  // namespace gteway
#endif
