#include "base/file.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "base/error.hpp"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#endif

namespace gteway {
namespace {

constexpr size_t kPiece = size_t{4} << 20;

// Longer than a tick of the clock that file systems take their times from, which is 1 to 16 ms.
constexpr std::chrono::milliseconds kTick(20);

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw Error(ErrorCode::kModelInvalid, path + " " + reason);
}

[[noreturn]] void fail_changed(const std::string& path) {
  fail(path, "was changed while it was read; load the model again when it is complete");
}

#ifdef _WIN32

[[noreturn]] void fail_by_system(const std::string& path) {
  fail(path, "cannot be read: Windows error " + std::to_string(GetLastError()));
}

std::wstring wide(const std::string& path) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring text(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, text.data(), length);
  return text;
}

class Handle {
 public:
  explicit Handle(const std::string& path)
      : value_(CreateFileW(wide(path).c_str(), GENERIC_READ,
                           FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                           FILE_ATTRIBUTE_NORMAL, nullptr)) {
    if (value_ == INVALID_HANDLE_VALUE) fail_by_system(path);
  }
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, INVALID_HANDLE_VALUE)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (value_ != INVALID_HANDLE_VALUE) CloseHandle(value_);
  }

  struct Facts {
    uint64_t size;
    uint64_t written;  // the time, in 100 ns since 1601
    bool operator==(const Facts&) const = default;
    bool is_fresh() const {
      FILETIME now;
      GetSystemTimeAsFileTime(&now);
      const uint64_t ticks = (static_cast<uint64_t>(now.dwHighDateTime) << 32) | now.dwLowDateTime;
      return ticks >= written && ticks - written < static_cast<uint64_t>(kTick.count()) * 10'000;
    }
  };
  Facts facts(const std::string& path) const {
    BY_HANDLE_FILE_INFORMATION found;
    if (!GetFileInformationByHandle(value_, &found)) fail_by_system(path);
    const auto joined = [](DWORD high, DWORD low) { return (static_cast<uint64_t>(high) << 32) | low; };
    return {joined(found.nFileSizeHigh, found.nFileSizeLow),
            joined(found.ftLastWriteTime.dwHighDateTime, found.ftLastWriteTime.dwLowDateTime)};
  }

  size_t read(const std::string& path, uint64_t offset, std::span<std::byte> to) const {
    OVERLAPPED where = {};
    where.Offset = static_cast<DWORD>(offset);
    where.OffsetHigh = static_cast<DWORD>(offset >> 32);
    DWORD taken = 0;
    if (!ReadFile(value_, to.data(), static_cast<DWORD>(to.size()), &taken, &where) &&
        GetLastError() != ERROR_HANDLE_EOF)
      fail_by_system(path);
    return taken;
  }

 private:
  HANDLE value_;
};

#else

[[noreturn]] void fail_by_system(const std::string& path) {
  fail(path, "cannot be read: " + std::error_code(errno, std::generic_category()).message());
}

class Handle {
 public:
  // Not blocking: what is no file (a pipe) is refused instead of waited for.
  explicit Handle(const std::string& path) : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (value_ < 0) fail_by_system(path);
  }
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (value_ >= 0) close(value_);
  }

  struct Facts {
    uint64_t size;
    int64_t seconds, nanoseconds;  // of the time of modification
    bool operator==(const Facts&) const = default;
    bool is_fresh() const {
      const auto written = std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds);
      const auto age = std::chrono::system_clock::now().time_since_epoch() - written;
      return age >= age.zero() && age < kTick;
    }
  };
  Facts facts(const std::string& path) const {
    struct stat found {};
    if (fstat(value_, &found) != 0) fail_by_system(path);
    if (!S_ISREG(found.st_mode)) fail(path, "is not a file");
#ifdef __APPLE__
    const timespec& written = found.st_mtimespec;
#else
    const timespec& written = found.st_mtim;
#endif
    return {static_cast<uint64_t>(found.st_size), written.tv_sec, written.tv_nsec};
  }

  size_t read(const std::string& path, uint64_t offset, std::span<std::byte> to) const {
    for (;;) {
      const ssize_t taken = pread(value_, to.data(), to.size(), static_cast<off_t>(offset));
      if (taken >= 0) return static_cast<size_t>(taken);
      if (errno != EINTR) fail_by_system(path);
    }
  }

 private:
  int value_;
};

#endif

class OpenedFile final : public File {
 public:
  OpenedFile(const std::string& path, Handle handle, const Handle::Facts& facts,
             std::shared_ptr<const StopFlag> stop)
      : File(path, facts.size, std::move(stop)), handle_(std::move(handle)), facts_(facts) {}

  void check_unchanged() const override {
    if (handle_.facts(path()) != facts_) fail_changed(path());
  }

 private:
  size_t read_some(uint64_t offset, std::span<std::byte> to) const override {
    return handle_.read(path(), offset, to);
  }

  const Handle handle_;
  const Handle::Facts facts_;
};

class Bytes final : public File {
 public:
  Bytes(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string path)
      : File(std::move(path), bytes.size(), nullptr), bytes_(bytes), owner_(std::move(owner)) {}

  void check_unchanged() const override {}

 private:
  size_t read_some(uint64_t offset, std::span<std::byte> to) const override {
    const std::span<const std::byte> from = bytes_.subspan(static_cast<size_t>(offset));
    const size_t count = std::min(from.size(), to.size());
    if (count > 0) std::memcpy(to.data(), from.data(), count);
    return count;
  }

  const std::span<const std::byte> bytes_;
  const std::shared_ptr<const void> owner_;
};

}  // namespace

std::shared_ptr<const File> File::open(const std::string& path, std::shared_ptr<const StopFlag> stop) {
  Handle handle(path);
  Handle::Facts facts = handle.facts(path);
  // Within a tick, a second change would not show.
  for (int tries = 0; facts.is_fresh(); ++tries) {
    if (tries == 10) fail_changed(path);
    if (stop) stop->throw_if_stopped();
    std::this_thread::sleep_for(kTick);
    facts = handle.facts(path);
  }
  return std::make_shared<const OpenedFile>(path, std::move(handle), facts, std::move(stop));
}

std::shared_ptr<const File> File::of_bytes(std::span<const std::byte> bytes,
                                           std::shared_ptr<const void> owner, std::string path) {
  return std::make_shared<const Bytes>(bytes, std::move(owner), std::move(path));
}

void File::read(uint64_t offset, std::span<std::byte> to) const {
  if (offset > size_ || to.size() > size_ - offset)
    fail(path_, "has " + std::to_string(size_) + " bytes, and " + std::to_string(to.size()) + " from byte " +
                    std::to_string(offset) + " on were asked for");
  while (!to.empty()) {
    if (stop_) stop_->throw_if_stopped();
    const size_t taken = read_some(offset, to.first(std::min(to.size(), kPiece)));
    if (taken == 0) fail_changed(path_);
    to = to.subspan(taken);
    offset += taken;
  }
}

}  // namespace gteway
