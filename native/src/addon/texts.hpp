// Copies JavaScript strings into native memory, once.
#pragma once

#include <napi.h>

#include "scheduler/request.hpp"

namespace gteway::addon {

// `strings` is an array of strings; lone surrogates become U+FFFD. Throws Error{kInvalidArgument} for
// anything else.
TextBlock copy_texts(Napi::Env env, const Napi::Value& strings);

// `strings` as above, and the queries of `texts` texts: `of` is a Uint32Array with the index of each one's,
// or empty where all have the first. Throws Error{kInvalidArgument} where a text would have none.
Queries copy_queries(Napi::Env env, const Napi::Value& strings, const Napi::Value& of, size_t texts);

}  // namespace gteway::addon
