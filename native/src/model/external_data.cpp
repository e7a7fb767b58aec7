#include "model/external_data.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.hpp"
#include "base/in_quotes.hpp"

namespace gteway {
namespace {

std::filesystem::path as_path(const std::string& utf8) {
  return std::filesystem::path(reinterpret_cast<const char8_t*>(utf8.c_str()));
}

bool stays_inside(const std::string& location) {
  if (location.empty() || location.find('\0') != std::string::npos) return false;
  const std::filesystem::path path = as_path(location);
  return !path.has_root_path() && std::find(path.begin(), path.end(), "..") == path.end();
}

}  // namespace

ExternalData::ExternalData(const std::string& model_path, std::shared_ptr<const StopFlag> stop)
    : model_path_(model_path), stop_(std::move(stop)) {}

const File* ExternalData::open(const std::string& location, std::string& reason) {
  auto found = entries_.find(location);
  if (found == entries_.end()) {
    if (entries_.size() == kMostFiles) {
      reason = "lies in one of more than " + std::to_string(kMostFiles) + " external data files";
      return nullptr;
    }
    found = entries_.emplace(location, open_now(location)).first;
  }
  reason = found->second.reason;
  return found->second.file.get();
}

ExternalData::Entry ExternalData::open_now(const std::string& location) const {
  if (!stays_inside(location))
    return {nullptr,
            "lies in an external data file outside of the model's directory, " + in_quotes(location)};
    // Not by path's operator/: libstdc++'s dies where it finds no memory.
#if defined(_WIN32)
  const size_t name = model_path_.find_last_of("/\\:") + 1;
#else
  const size_t name = model_path_.rfind('/') + 1;
#endif
  try {
    return {File::open(model_path_.substr(0, name) + location, stop_), ""};
  } catch (const Error& error) {
    return {nullptr, std::string("lies in an external data file: ") + error.what()};
  }
}

std::vector<std::shared_ptr<const File>> ExternalData::files() const {
  std::vector<std::shared_ptr<const File>> all;
  for (const auto& [location, entry] : entries_)
    if (entry.file) all.push_back(entry.file);
  return all;
}

}  // namespace gteway
