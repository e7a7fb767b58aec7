// A small JSON reader for the files that come with a model: strict, bounded, and without surprises on hostile
// input.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gteway {

struct JsonField;

struct Json {
  enum class Kind { kNull, kBoolean, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  double number = 0;
  std::string string;             // UTF-8
  std::vector<Json> items;        // of an array
  std::vector<JsonField> fields;  // of an object, in the file's order, no name twice

  // The field of that name; null where there is none or this is no object.
  const Json* field(std::string_view name) const& noexcept;
  const Json* field(std::string_view name) && = delete;  // it would be gone with the object

  // A whole number from 0 to 2^53; nothing where it is anything else.
  std::optional<size_t> size() const noexcept;
};

struct JsonField {
  std::string name;
  Json value;
};

// What a text may hold. The header of a safetensors file has eight values a tensor, and the largest encoders
// have some hundreds of tensors.
constexpr size_t kMostJsonBytes = size_t{16} << 20;
constexpr size_t kMostJsonValues = 100'000;

// Throws Error{kModelInvalid} beginning with `what`: for anything that is not one JSON value, for a name that
// occurs twice in an object, for nesting deeper than 64, and for a text beyond the bounds above.
Json parse_json(std::string_view text, const std::string& what);

}  // namespace gteway
