// libFuzzer target: the input is JSON, read as that and as a config.json. What was read, written again, reads
// the same.
#include <cmath>
#include <cstdio>

#include "fuzz/encoder_use.hpp"
#include "model/json.hpp"

using namespace gteway;

namespace {

void write(const std::string& text, std::string& to) {
  to += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      to += escaped;
    } else {
      to += c;
    }
  }
  to += '"';
}

void write(const Json& value, std::string& to) {
  char number[40];
  switch (value.kind) {
    case Json::Kind::kNull:
      to += "null";
      break;
    case Json::Kind::kBoolean:
      to += value.boolean ? "true" : "false";
      break;
    case Json::Kind::kNumber:
      // Beyond a double's range: infinity, which JSON has no word for.
      if (std::isinf(value.number))
        std::snprintf(number, sizeof number, "%s1e999", value.number < 0 ? "-" : "");
      else
        std::snprintf(number, sizeof number, "%.17g", value.number);
      to += number;
      break;
    case Json::Kind::kString:
      write(value.string, to);
      break;
    case Json::Kind::kArray:
      to += '[';
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) to += ',';
        write(value.items[i], to);
      }
      to += ']';
      break;
    case Json::Kind::kObject:
      to += '{';
      for (size_t i = 0; i < value.fields.size(); ++i) {
        if (i > 0) to += ',';
        write(value.fields[i].name, to);
        to += ':';
        write(value.fields[i].value, to);
      }
      to += '}';
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    std::string once, again;
    write(parse_json(text, "text"), once);
    write(parse_json(once, "what was written"), again);
    fuzz::expect(once == again, "what was read, written and read again is not the same");
    check_encoder_config(parse_encoder_config(text, "config.json").encoder, "config.json");
  } catch (const Error& error) {
    fuzz::expect_refusal(error);
  }
  return 0;
}
