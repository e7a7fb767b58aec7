#include "model/protobuf.hpp"

#include <algorithm>
#include <bit>
#include <span>

#include "base/error.hpp"

namespace gteway {
namespace {

[[noreturn]] void malformed(const std::string& reason) {
  throw Error(ErrorCode::kModelInvalid, "malformed protocol buffer: " + reason);
}

void expect(const ProtobufField& field, ProtobufField::Wire wire) {
  if (field.wire != wire) malformed("field " + std::to_string(field.number) + " has an unexpected wire type");
}

}  // namespace

void FileWindow::move_to(uint64_t offset) {
  held_ = 0;
  begin_ = offset;
  const uint64_t left = file_.size() - offset;
  const size_t count = static_cast<size_t>(std::min<uint64_t>(left, held_bytes_.size()));
  file_.read(offset, std::span(held_bytes_).first(count));
  held_ = count;
}

std::string FileWindow::text(FileRange range) {
  std::string text(static_cast<size_t>(range.length), '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(byte(range.offset + i));
  return text;
}

int64_t ProtobufField::as_integer() const {
  expect(*this, Wire::kVarint);
  return static_cast<int64_t>(value);
}

float ProtobufField::as_float() const {
  expect(*this, Wire::kFixed32);
  return std::bit_cast<float>(static_cast<uint32_t>(value));
}

FileRange ProtobufField::as_range() const {
  expect(*this, Wire::kBytes);
  return range;
}

FileRange ProtobufReader::take(uint64_t length) {
  if (length > end_ - at_)
    malformed("a field of " + std::to_string(length) + " bytes where " + std::to_string(end_ - at_) +
              " are left");
  const FileRange taken{at_, length};
  at_ += length;
  return taken;
}

uint64_t ProtobufReader::little_endian(uint64_t length) {
  const FileRange bytes = take(length);
  uint64_t value = 0;
  for (uint64_t i = 0; i < length; ++i)
    value |= std::to_integer<uint64_t>(window_.byte(bytes.offset + i)) << (8 * i);
  return value;
}

uint64_t ProtobufReader::varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = std::to_integer<uint64_t>(window_.byte(take(1).offset));
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  malformed("a number of more than 64 bits");
}

bool ProtobufReader::next(ProtobufField& field) {
  if (done()) return false;
  const uint64_t key = varint();
  const uint64_t number = key >> 3;
  if (number == 0 || number > 0x1FFFFFFF) malformed("a field number that does not exist");
  field = {};
  field.number = static_cast<uint32_t>(number);
  switch (key & 7) {
    case 0:
      field.wire = ProtobufField::Wire::kVarint;
      field.value = varint();
      return true;
    case 1:
      field.wire = ProtobufField::Wire::kFixed64;
      field.value = little_endian(8);
      return true;
    case 2:
      field.wire = ProtobufField::Wire::kBytes;
      field.range = take(varint());
      return true;
    case 5:
      field.wire = ProtobufField::Wire::kFixed32;
      field.value = little_endian(4);
      return true;
    default:
      malformed("a field of a wire type that ONNX does not use");
  }
}

}  // namespace gteway
