#include "base/mapped_file.hpp"

#include <cstdint>
#include <utility>

#include "base/error.hpp"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#endif

namespace gteway {

#ifdef _WIN32

namespace {

[[noreturn]] void fail(const std::string& path) {
  throw Error(ErrorCode::kModelInvalid,
              path + " cannot be read: Windows error " + std::to_string(GetLastError()));
}

struct Handle {
  HANDLE value;
  ~Handle() {
    if (value != nullptr && value != INVALID_HANDLE_VALUE) CloseHandle(value);
  }
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), length);
  const Handle file{CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                                FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.value == INVALID_HANDLE_VALUE) fail(path);
  LARGE_INTEGER size;
  if (!GetFileSizeEx(file.value, &size)) fail(path);
  if (size.QuadPart == 0) return std::shared_ptr<const MappedFile>(new MappedFile(nullptr, 0));
  const Handle mapping{CreateFileMappingW(file.value, nullptr, PAGE_READONLY, 0, 0, nullptr)};
  if (mapping.value == nullptr) fail(path);
  const void* data = MapViewOfFile(mapping.value, FILE_MAP_READ, 0, 0, 0);
  if (data == nullptr) fail(path);
  return std::shared_ptr<const MappedFile>(
      new MappedFile(static_cast<const std::byte*>(data), static_cast<size_t>(size.QuadPart)));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) UnmapViewOfFile(data_);
}

#else

namespace {

[[noreturn]] void fail(const std::string& path) {
  throw Error(ErrorCode::kModelInvalid,
              path + " cannot be read: " + std::error_code(errno, std::generic_category()).message());
}

struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) close(value);
  }
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value < 0) fail(path);
  struct stat facts {};
  if (fstat(file.value, &facts) != 0) fail(path);
  if (!S_ISREG(facts.st_mode)) throw Error(ErrorCode::kModelInvalid, path + " is not a file");
  if (facts.st_size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(nullptr, 0));
  const auto size = static_cast<size_t>(facts.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (data == MAP_FAILED) fail(path);
  return std::shared_ptr<const MappedFile>(new MappedFile(static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

#endif

}  // namespace gteway
