// Reads what JavaScript passes: positional arguments by their place, an options object's members by their
// name. Throws Error{kInvalidArgument} for a value of another type: lib/ has checked what users give.
#pragma once

#include <napi.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace gteway::addon {

// A value and what to call it where it is wrong.
class Argument {
 public:
  Argument(const Napi::CallbackInfo& info, size_t index) : value(info[index]), index_(index) {}
  Argument(const Napi::Object& options, const char* member) : value(options.Get(member)), member_(member) {}

  std::string name() const {
    return member_ != nullptr ? std::string(member_) : "argument " + std::to_string(index_);
  }

  const Napi::Value value;

 private:
  const char* const member_ = nullptr;
  const size_t index_ = 0;
};

inline double number(const Argument& argument) {
  if (!argument.value.IsNumber())
    throw Error(ErrorCode::kInvalidArgument, argument.name() + " must be a number");
  return argument.value.As<Napi::Number>().DoubleValue();
}

inline std::string text(const Argument& argument) {
  if (!argument.value.IsString())
    throw Error(ErrorCode::kInvalidArgument, argument.name() + " must be a string");
  return argument.value.As<Napi::String>().Utf8Value();
}

template <class Value>
Value choice(const Argument& argument, std::initializer_list<std::pair<std::string_view, Value>> choices) {
  const std::string given = text(argument);
  for (const auto& [name, value] : choices)
    if (name == given) return value;
  throw Error(ErrorCode::kInvalidArgument, argument.name() + " cannot be '" + given + "'");
}

}  // namespace gteway::addon
