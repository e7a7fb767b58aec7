// Reads protocol buffers' wire format out of a file: https://protobuf.dev/programming-guides/encoding. Every
// length is checked, and only what is asked for is read: a field of gigabytes is stepped over.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/file.hpp"

namespace gteway {

// A file's bytes one by one, read ahead a few kilobytes at a time. Shared by the readers of one file.
class FileWindow {
 public:
  explicit FileWindow(const File& file) : file_(file) {}

  const File& file() const noexcept { return file_; }
  // `offset` is within the file.
  std::byte byte(uint64_t offset) {
    if (offset - begin_ >= held_) move_to(offset);
    return held_bytes_[static_cast<size_t>(offset - begin_)];
  }
  std::string text(FileRange range);

 private:
  void move_to(uint64_t offset);

  const File& file_;
  uint64_t begin_ = 0;
  size_t held_ = 0;
  std::array<std::byte, 16384> held_bytes_;
};

struct ProtobufField {
  enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  uint32_t number = 0;
  Wire wire = Wire::kVarint;
  uint64_t value = 0;  // of a varint or fixed field, not sign-extended
  FileRange range;     // of a length-delimited field

  // These throw Error{kModelInvalid} where the field has another wire type.
  int64_t as_integer() const;
  float as_float() const;
  FileRange as_range() const;
};

// The fields of one message, in their order.
class ProtobufReader {
 public:
  // `message` is within the file.
  ProtobufReader(FileWindow& window, FileRange message) noexcept
      : window_(window), at_(message.offset), end_(message.offset + message.length) {}

  // False at the end. Throws Error{kModelInvalid} where the message is cut short or malformed, and what
  // File::read throws.
  bool next(ProtobufField& field);

  // A bare varint: for packed fields.
  uint64_t varint();
  bool done() const noexcept { return at_ == end_; }

 private:
  FileRange take(uint64_t length);
  uint64_t little_endian(uint64_t length);

  FileWindow& window_;
  uint64_t at_, end_;
};

}  // namespace gteway
