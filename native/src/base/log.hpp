// The library never prints. What it or ONNX Runtime has to say goes to one process-wide hook, silent by
// default.
#pragma once

#include <string_view>

namespace gteway {

enum class LogLevel { kVerbose, kInfo, kWarning, kError, kFatal };  // ONNX Runtime's numbers

// May be called from any thread, and must not throw. Null: silence.
using LogHook = void (*)(LogLevel level, std::string_view source, std::string_view message) noexcept;

void set_log_hook(LogHook hook) noexcept;
bool log_is_wanted() noexcept;  // whether a hook is set
void log(LogLevel level, std::string_view source, std::string_view message) noexcept;

}  // namespace gteway
