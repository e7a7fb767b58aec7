// Names the calling thread, so that top, perf and debuggers tell ours from Node's.
#pragma once

#include <string>

namespace gteway {

void set_thread_name(const std::string& name) noexcept;  // at most 15 bytes are kept on Linux

}  // namespace gteway
