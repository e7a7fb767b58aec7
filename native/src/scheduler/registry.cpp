#include "scheduler/registry.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>

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

std::filesystem::path path_of(const std::string& utf8) {
  return std::filesystem::path(reinterpret_cast<const char8_t*>(utf8.c_str()));
}

std::string utf8_of(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return {reinterpret_cast<const char*>(text.data()), text.size()};
}

// Larger models hold their weights themselves.
constexpr uintmax_t kMostSearched = uintmax_t{16} << 20;

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
  const std::filesystem::path file = path_of(path);
  std::string identity = path;
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error) return identity;
  const auto written = std::filesystem::last_write_time(file, error);
  if (error) return identity;
  identity += '\n' + std::to_string(size) + '\n' + std::to_string(written.time_since_epoch().count());
#ifndef _WIN32
  struct stat facts;
  if (stat(path.c_str(), &facts) == 0)
    identity += '\n' + std::to_string(facts.st_dev) + ':' + std::to_string(facts.st_ino);
#endif
  return identity;
}

std::string weights_identity(const std::string& path) {
  std::string identity = file_identity(path);
  const std::filesystem::path file = path_of(path);
  std::error_code error;
  if (file.extension() != ".onnx" || std::filesystem::file_size(file, error) > kMostSearched || error)
    return identity;
  std::ifstream stream(file, std::ios::binary);
  const std::string model{std::istreambuf_iterator<char>(stream), {}};
  std::set<std::string> data;  // in an order of its own, whatever the directory's
  for (std::filesystem::directory_iterator entry(file.parent_path(), error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".onnx" || !entry->is_regular_file(error)) continue;
    if (model.find(utf8_of(entry->path().filename())) != std::string::npos)
      data.insert(utf8_of(entry->path()));
  }
  for (const std::string& each : data) identity += '\n' + file_identity(each);
  return identity;
}

}  // namespace gteway
