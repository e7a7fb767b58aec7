// The one error type of the native core. It is thrown while loading, validating and configuring; on worker
// threads a failure is a value (std::exception_ptr or Error) handed to the request. Kernels never throw.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

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

// Text that is part of the program: an Error made of it needs no memory, so it can be made when there is
// none.
struct Literal {
  explicit consteval Literal(const char* words) : text(words) {}
  const char* text;
};

class Error : public std::exception {
 public:
  Error(ErrorCode code_, std::string message) : code(code_), message_(std::move(message)) {}
  Error(ErrorCode code_, Literal message) noexcept : code(code_), literal_(message.text) {}

  const char* what() const noexcept override { return literal_ != nullptr ? literal_ : message_.c_str(); }

  ErrorCode code;

 private:
  const char* literal_ = nullptr;
  std::string message_;
};

// The exception being handled, as an Error; kOutOfMemory where it cannot be copied, kInternal where it is of
// a type we do not know. Call inside a catch block.
Error current_error() noexcept;

// A copy; kOutOfMemory where there is no memory for one.
Error copy_of(const Error& error) noexcept;

}  // namespace gteway
