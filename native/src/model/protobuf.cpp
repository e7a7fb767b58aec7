#include "model/protobuf.hpp"

#include <bit>

#include "base/error.hpp"

namespace gteway {
namespace {

[[noreturn]] void malformed(const std::string& reason) {
  throw Error(ErrorCode::kModelInvalid, "malformed protocol buffer: " + reason);
}

uint64_t little_endian(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) value |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  return value;
}

void expect(const ProtobufField& field, ProtobufField::Wire wire) {
  if (field.wire != wire) malformed("field " + std::to_string(field.number) + " has an unexpected wire type");
}

}  // namespace

int64_t ProtobufField::as_integer() const {
  expect(*this, Wire::kVarint);
  return static_cast<int64_t>(value);
}

float ProtobufField::as_float() const {
  expect(*this, Wire::kFixed32);
  return std::bit_cast<float>(static_cast<uint32_t>(value));
}

std::span<const std::byte> ProtobufField::as_bytes() const {
  expect(*this, Wire::kBytes);
  return bytes;
}

std::string_view ProtobufField::as_text() const {
  const std::span<const std::byte> text = as_bytes();
  return {reinterpret_cast<const char*>(text.data()), text.size()};
}

std::span<const std::byte> ProtobufReader::take(uint64_t length) {
  if (length > rest_.size())
    malformed("a field of " + std::to_string(length) + " bytes where " + std::to_string(rest_.size()) +
              " are left");
  const std::span<const std::byte> taken = rest_.first(static_cast<size_t>(length));
  rest_ = rest_.subspan(static_cast<size_t>(length));
  return taken;
}

uint64_t ProtobufReader::varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = std::to_integer<uint64_t>(take(1)[0]);
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  malformed("a number of more than 64 bits");
}

bool ProtobufReader::next(ProtobufField& field) {
  if (rest_.empty()) return false;
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
      field.value = little_endian(take(8));
      return true;
    case 2:
      field.wire = ProtobufField::Wire::kBytes;
      field.bytes = take(varint());
      return true;
    case 5:
      field.wire = ProtobufField::Wire::kFixed32;
      field.value = little_endian(take(4));
      return true;
    default:
      malformed("a field of a wire type that ONNX does not use");
  }
}

}  // namespace gteway
