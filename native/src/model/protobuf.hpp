// Reads protocol buffers' wire format: https://protobuf.dev/programming-guides/encoding. Every length is
// checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gteway {

struct ProtobufField {
  enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  uint32_t number = 0;
  Wire wire = Wire::kVarint;
  uint64_t value = 0;                // of a varint or fixed field, not sign-extended
  std::span<const std::byte> bytes;  // of a length-delimited field

  // These throw Error{kModelInvalid} where the field has another wire type.
  int64_t as_integer() const;
  float as_float() const;
  std::span<const std::byte> as_bytes() const;
  std::string_view as_text() const;
};

// The fields of one message, in their order.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::span<const std::byte> message) noexcept : rest_(message) {}

  // False at the end. Throws Error{kModelInvalid} where the message is cut short or malformed.
  bool next(ProtobufField& field);

  // A bare varint: for packed fields.
  uint64_t varint();
  bool done() const noexcept { return rest_.empty(); }

 private:
  std::span<const std::byte> take(uint64_t length);

  std::span<const std::byte> rest_;
};

}  // namespace gteway
