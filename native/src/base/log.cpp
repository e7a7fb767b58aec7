#include "base/log.hpp"

#include <atomic>

namespace gteway {

static std::atomic<LogHook> current_hook{nullptr};

void set_log_hook(LogHook hook) noexcept { current_hook.store(hook, std::memory_order_release); }

bool log_is_wanted() noexcept { return current_hook.load(std::memory_order_acquire) != nullptr; }

void log(LogLevel level, std::string_view source, std::string_view message) noexcept {
  if (const LogHook hook = current_hook.load(std::memory_order_acquire)) hook(level, source, message);
}

}  // namespace gteway
