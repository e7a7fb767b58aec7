// A file that is read where it is needed. It is never mapped: a mapping ends the process (SIGBUS) when
// another program shortens the file, and what is read here is copied or converted anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/stop.hpp"

namespace gteway {

// Part of a file, in bytes.
struct FileRange {
  uint64_t offset = 0;
  uint64_t length = 0;
};

class File {
 public:
  // `path` is UTF-8. A file that was written to in these last 20 ms is waited for until it is older.
  // Where `stop` is given, reading ends with Error{kAborted} soon after it is set. Throws
  // Error{kModelInvalid} with the system's reason.
  static std::shared_ptr<const File> open(const std::string& path,
                                          std::shared_ptr<const StopFlag> stop = nullptr);

  // Bytes that take a file's place; `owner` keeps them.
  static std::shared_ptr<const File> of_bytes(std::span<const std::byte> bytes,
                                              std::shared_ptr<const void> owner, std::string path);

  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  const std::string& path() const noexcept { return path_; }
  uint64_t size() const noexcept { return size_; }  // when it was opened
  const std::shared_ptr<const StopFlag>& stop() const noexcept { return stop_; }

  // Fills `to` from byte `offset` on, in pieces of 4 MiB at most. Thread-safe. Throws Error: kModelInvalid
  // where the file does not reach so far (any more) or cannot be read, kAborted where it was stopped.
  void read(uint64_t offset, std::span<std::byte> to) const;

  // Throws Error{kModelInvalid} where the file was written to or cut since it was opened, as its size and its
  // time of modification tell. A file that another one took the place of (a rename) is still the one that was
  // opened.
  virtual void check_unchanged() const = 0;

 protected:
  File(std::string path, uint64_t size, std::shared_ptr<const StopFlag> stop)
      : path_(std::move(path)), size_(size), stop_(std::move(stop)) {}

  // Reads up to to.size() bytes; 0 at the end of the file.
  virtual size_t read_some(uint64_t offset, std::span<std::byte> to) const = 0;

 private:
  const std::string path_;
  const uint64_t size_;
  const std::shared_ptr<const StopFlag> stop_;
};

}  // namespace gteway
