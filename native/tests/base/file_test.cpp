#include "base/file.hpp"

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "temporary_file.hpp"
#include "test.hpp"

namespace gteway {
namespace {

using test::TemporaryFile;

std::string read(const File& file, uint64_t offset, size_t count) {
  std::string out(count, '?');
  file.read(offset, std::as_writable_bytes(std::span(out)));
  return out;
}

TEST("file: any part is read, also of more than one piece") {
  std::string content(9 << 20, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 2654435761U >> 11);
  const TemporaryFile kept(".bin", content);
  const auto file = File::open(kept.path());
  CHECK_EQ(file->size(), content.size());
  CHECK(read(*file, 0, content.size()) == content);
  CHECK(read(*file, 4194303, 2) == content.substr(4194303, 2));
  CHECK(read(*file, content.size(), 0).empty());
  file->check_unchanged();
}

TEST("file: bytes beyond the end are refused, whatever the numbers") {
  const TemporaryFile kept(".bin", "12345");
  const auto file = File::open(kept.path());
  CHECK_THROWS(Error, read(*file, 4, 2), "has 5 bytes");
  CHECK_THROWS(Error, read(*file, 6, 0), "has 5 bytes");
  CHECK_THROWS(Error, read(*file, UINT64_MAX, 2), "has 5 bytes");
}

TEST("file: what is none is refused, with its path and the reason") {
  CHECK_THROWS(Error, File::open("/nonexistent/model.onnx"), "/nonexistent/model.onnx cannot be read");
  CHECK_THROWS(Error, File::open("/"), "is not a file");
}

TEST("file: one that was cut, written to or made longer since is told, by the next read or the check") {
  for (const char* how : {"cut", "overwritten", "longer"}) {
    const TemporaryFile kept(".bin", "0123456789");
    const auto file = File::open(kept.path());
    CHECK_EQ(read(*file, 0, 10), "0123456789");
    if (*how == 'c')
      std::filesystem::resize_file(kept.path(), 3);
    else
      std::fstream(kept.path(), std::ios::in | std::ios::out | (*how == 'l' ? std::ios::app : std::ios::in))
          << "xx" << std::flush;
    CHECK_THROWS(Error, file->check_unchanged(), "was changed while it was read");
    if (*how == 'c') CHECK_THROWS(Error, read(*file, 2, 8), "was changed while it was read");
  }
}

TEST("file: one that another takes the place of is still the one that was opened") {
  const TemporaryFile kept(".bin", "old"), other(".bin", "new one");
  const auto file = File::open(kept.path());
  std::filesystem::rename(other.path(), kept.path());
  CHECK_EQ(read(*file, 0, 3), "old");
  file->check_unchanged();
}

TEST("file: reading ends once it is stopped") {
  const TemporaryFile kept(".bin", "0123456789");
  const auto stop = std::make_shared<StopFlag>();
  const auto file = File::open(kept.path(), stop);
  CHECK_EQ(read(*file, 0, 1), "0");
  stop->stop();
  CHECK_THROWS(Error, read(*file, 0, 1), "closing");
}

}  // namespace
}  // namespace gteway
