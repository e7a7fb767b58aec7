// Copies JavaScript strings into native memory, once.
#pragma once

#include <napi.h>

#include "scheduler/request.hpp"

namespace gteway::addon {

// `strings` is an array of strings; lone surrogates become U+FFFD. Throws Error{kInvalidArgument} for
// anything else.
TextBlock copy_texts(Napi::Env env, const Napi::Value& strings);

}  // namespace gteway::addon
