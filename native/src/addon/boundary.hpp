// What every file of the addon shares: each one reads JS values into plain data, calls the core, converts the
// result, and lets guard() turn a native error into a JS one. No logic lives in addon/.
#pragma once

#include <napi.h>

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace gteway::addon {

// An Error object with `code`; lib/native/errors.ts makes a GtewayError of it. Needs no native memory.
inline Napi::Error to_js(Napi::Env env, const Error& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  const std::string_view code = error_code_name(error.code);
  result.Set("code", Napi::String::New(env, code.data(), code.size()));
  return result;
}

// Runs `body`; any C++ exception but node-addon-api's own leaves as a JS exception with a code.
template <class Body>
auto guard(Napi::Env env, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js(env, current_error());
  }
}

// A new typed array of `length` elements, made by JavaScript's own constructor ("Float32Array"), which throws
// where there is no memory for it: Error{kOutOfMemory} here. N-API's constructors end the process then.
template <class Array>
Array new_array(Napi::Env env, const char* constructor, size_t length) {
  const napi_value size = Napi::Number::New(env, static_cast<double>(length));
  const Napi::Function make = env.Global().Get(constructor).As<Napi::Function>();
  try {
    return make.New(1, &size).As<Array>();
  } catch (const Napi::Error&) {
    throw Error(ErrorCode::kOutOfMemory, "no memory for a " + std::string(constructor) + " of " +
                                             std::to_string(length) + " elements");
  }
}

// One per file of bindings; called by addon.cpp for each environment (main thread and workers).
void register_log(Napi::Env env, Napi::Object exports);
void register_cpu(Napi::Env env, Napi::Object exports);
void register_ort(Napi::Env env, Napi::Object exports);
void register_cuda(Napi::Env env, Napi::Object exports);
void register_tokenizer(Napi::Env env, Napi::Object exports);
void register_session(Napi::Env env, Napi::Object exports);
void register_search(Napi::Env env, Napi::Object exports);
void register_failing_allocations(Napi::Env env, Napi::Object exports);  // native/tests/addon

}  // namespace gteway::addon
