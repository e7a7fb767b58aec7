// Finds Node's functions on Windows, for builds without Microsoft's linker.
//
// An import on Windows names the file it comes from. One from node.exe would keep the addon out of every
// program of another name that has these functions, too: Electron's, Bun's, Deno's, a renamed Node.
// (Microsoft's linker has delay-loading and a hook for that, which cmake-js brings.) So the pointers that an
// import table would hold are defined here, and filled from the program itself when the addon is opened.
#include <windows.h>

#include <initializer_list>

#define GTEWAY_HOST_FUNCTION(name) \
  extern "C" FARPROC __imp_##name; \
  FARPROC __imp_##name = nullptr;
#include <node_api_functions.inc>  // made by native/CMakeLists.txt out of node-api-headers
#undef GTEWAY_HOST_FUNCTION

namespace {

// The program, or the library that it keeps Node in.
HMODULE find_host() noexcept {
  const HMODULE program = GetModuleHandleW(nullptr);
  if (GetProcAddress(program, "napi_module_register") != nullptr) return program;
  for (const wchar_t* name : {L"node.dll", L"libnode.dll"})
    if (const HMODULE library = GetModuleHandleW(name)) return library;
  return program;
}

// A function that this version of the host lacks stays null; what NAPI_VERSION allows, every host has.
bool bind_host_functions() noexcept {
  const HMODULE host = find_host();
#define GTEWAY_HOST_FUNCTION(name) __imp_##name = GetProcAddress(host, #name);
#include <node_api_functions.inc>
#undef GTEWAY_HOST_FUNCTION
  return true;
}

// Before main-like code of the addon runs: objects of other files that are made this early call nothing of
// Node's.
[[maybe_unused]] const bool bound = bind_host_functions();

}  // namespace
