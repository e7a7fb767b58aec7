// A whole file in memory, read-only and unread until it is touched.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace gteway {

class MappedFile {
 public:
  // `path` is UTF-8. Throws Error{kModelInvalid} with the system's reason. A file that another program
  // shortens while it is mapped ends the process at the next touch (SIGBUS), so a mapping is for loading, not
  // for keeping.
  static std::shared_ptr<const MappedFile> open(const std::string& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, size_t size) noexcept : data_(data), size_(size) {}

  const std::byte* data_;  // null where the file is empty
  size_t size_;
};

}  // namespace gteway
