#include "scheduler/registry.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

#include "model/onnx_model.hpp"

namespace gteway {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Scheduler>> schedulers;  // guarded; also some that are gone
};

// Never destroyed: sessions of other threads may be closing while the process exits.
Registry& registry() {
  static Registry& the_only_one = *new Registry;
  return the_only_one;
}

}  // namespace

std::unique_ptr<Client> connect(const std::string& identity, size_t threads,
                                const Scheduler::MakeEngine& make_engine, ClientOptions options,
                                std::shared_ptr<const Tokenizer> tokenizer, const OnLoaded& loaded) {
  Registry& all = registry();
  std::shared_ptr<Scheduler> closing,
      scheduler;  // released behind the lock: their destructors wait for threads
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.schedulers, [](const auto& entry) { return entry.second.expired(); });
  if (const auto found = all.schedulers.find(identity); found != all.schedulers.end()) {
    closing = found->second.lock();
    if (closing)
      if (auto client = Client::connect(closing, options, tokenizer, loaded)) return client;
  }
  scheduler = std::make_shared<Scheduler>(threads, make_engine);
  all.schedulers[identity] = scheduler;
  return Client::connect(scheduler, options, std::move(tokenizer), loaded);
}

std::string file_identity(const std::string& path) {
  const std::filesystem::path file(reinterpret_cast<const char8_t*>(path.c_str()));
  std::string identity = path;
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error) return identity;
  const auto written = std::filesystem::last_write_time(file, error);
  if (error) return identity;
  // As int64_t: libc++ counts file times in 128 bits, which to_string() does not take.
  const auto ticks = static_cast<int64_t>(written.time_since_epoch().count());
  identity += '\n' + std::to_string(size) + '\n' + std::to_string(ticks);
#ifndef _WIN32
  struct stat facts;
  if (stat(path.c_str(), &facts) == 0)
    identity += '\n' + std::to_string(facts.st_dev) + ':' + std::to_string(facts.st_ino);
#endif
  return identity;
}

std::string weights_identity(const std::string& path) {
  std::string identity = file_identity(path);
  if (path.ends_with(".onnx"))
    for (const std::string& external : external_data_paths(path)) identity += '\n' + file_identity(external);
  return identity;
}

}  // namespace gteway
