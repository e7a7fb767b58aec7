#include "model/protobuf.hpp"

#include <string>

#include "base/error.hpp"
#include "test.hpp"

namespace gteway {
namespace {

size_t count_fields(const std::string& bytes) {
  const auto file = File::of_bytes(std::as_bytes(std::span(bytes)), nullptr, "bytes");
  FileWindow window(*file);
  ProtobufReader reader(window, {0, bytes.size()});
  size_t fields = 0;
  for (ProtobufField field; reader.next(field);) ++fields;
  return fields;
}

TEST("protobuf: fields of every wire type") {
  const std::string bytes(
      "\x08\x96\x01\x12\x02hi\x1D\x00\x00\x80\x3F\x21\x01\x00\x00\x00\x00\x00\x00\x00"
      "\x28\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
      32);
  const auto file = File::of_bytes(std::as_bytes(std::span(bytes)), nullptr, "bytes");
  FileWindow window(*file);
  ProtobufReader reader(window, {0, bytes.size()});
  ProtobufField field;
  CHECK(reader.next(field));
  CHECK_EQ(field.as_integer(), 150);
  CHECK_THROWS(Error, field.as_range(), "wire type");
  CHECK(reader.next(field));
  CHECK_EQ(window.text(field.as_range()), "hi");
  CHECK_THROWS(Error, field.as_integer(), "wire type");
  CHECK(reader.next(field));
  CHECK_EQ(field.as_float(), 1.0F);
  CHECK(reader.next(field));
  CHECK_EQ(field.value, 1u);
  CHECK(reader.next(field));
  CHECK_EQ(field.as_integer(), -1);
  CHECK(!reader.next(field));
}

TEST("protobuf: what is cut short or out of range is refused") {
  for (const std::string& bytes :
       {std::string("\x08"), std::string("\x08\x80"), std::string("\x12\x05hi"), std::string("\x1D\x00", 2),
        std::string("\x21\x00\x00", 3), std::string("\x00\x01", 2), std::string("\x0B"), std::string("\x0C"),
        std::string("\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
        std::string("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"),
        std::string("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01")})
    CHECK_THROWS(Error, count_fields(bytes), "malformed protocol buffer");
}

}  // namespace
}  // namespace gteway
