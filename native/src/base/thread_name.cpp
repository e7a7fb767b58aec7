#include "base/thread_name.hpp"

#if defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace gteway {

void set_thread_name(const std::string& name) noexcept {
#if defined(__linux__)
  char shortened[16] = {};
  name.copy(shortened, sizeof shortened - 1);
  pthread_setname_np(pthread_self(), shortened);
#elif defined(__APPLE__)
  pthread_setname_np(name.c_str());
#else
  (void)name;
#endif
}

}  // namespace gteway
