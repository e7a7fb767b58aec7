// The one error type of the native core. It is thrown while loading, validating and configuring; on worker
// threads a failure is a value (std::exception_ptr or Error) handed to the request. Kernels never throw.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace gteway {

// Each code is also a member of `ErrorCode` in lib/errors.ts; tests/errors.test.ts compares the two lists.
enum class ErrorCode {
  kInvalidArgument,   // our own TypeScript passed something malformed: a bug, reported instead of crashing
  kModelInvalid,      // a model file is missing parts, corrupt, or contradicts itself
  kModelUnsupported,  // a model file is fine, but needs something gteway does not have
  kTokenizerInvalid,  // tokenizer data is malformed
  kTokenizerUnsupported,  // tokenizer data asks for an algorithm gteway does not have
  kRuntimeUnavailable,    // ONNX Runtime's shared library could not be found or opened
  kDeviceUnavailable,     // the device asked for cannot be used here
  kInferenceFailed,       // the engine failed while computing
  kTextTooLong,           // a text has more tokens than the model takes, and cutting it was not allowed
  kOverloaded,            // the queue is full
  kClosed,                // the session was closed
  kAborted,               // the caller cancelled
  kOutOfMemory,           // an allocation failed
  kInternal,              // a broken invariant
};

// "ERR_MODEL_INVALID" and so on: what JavaScript sees as `error.code`.
std::string_view error_code_name(ErrorCode code) noexcept;

struct Error : std::runtime_error {
  Error(ErrorCode code_, const std::string& message) : std::runtime_error(message), code(code_) {}
  // std::runtime_error's copies share their text; these do not, so that each can go to another thread.
  Error(const Error& other) : std::runtime_error(std::string(other.what())), code(other.code) {}
  Error(Error&&) = default;
  Error& operator=(const Error& other) { return *this = Error(other); }
  Error& operator=(Error&&) = default;
  ~Error() override = default;

  ErrorCode code;
};

// The exception being handled, as an Error; kInternal where it is of a type we do not know. Call inside a
// catch block.
Error current_error();

}  // namespace gteway
