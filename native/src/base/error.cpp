#include "base/error.hpp"

#include <exception>
#include <new>

namespace gteway {

std::string_view error_code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "ERR_INVALID_ARGUMENT";
    case ErrorCode::kModelInvalid:
      return "ERR_MODEL_INVALID";
    case ErrorCode::kModelUnsupported:
      return "ERR_MODEL_UNSUPPORTED";
    case ErrorCode::kTokenizerInvalid:
      return "ERR_TOKENIZER_INVALID";
    case ErrorCode::kTokenizerUnsupported:
      return "ERR_TOKENIZER_UNSUPPORTED";
    case ErrorCode::kRuntimeUnavailable:
      return "ERR_RUNTIME_UNAVAILABLE";
    case ErrorCode::kDeviceUnavailable:
      return "ERR_DEVICE_UNAVAILABLE";
    case ErrorCode::kInferenceFailed:
      return "ERR_INFERENCE_FAILED";
    case ErrorCode::kTextTooLong:
      return "ERR_TEXT_TOO_LONG";
    case ErrorCode::kOverloaded:
      return "ERR_OVERLOADED";
    case ErrorCode::kClosed:
      return "ERR_CLOSED";
    case ErrorCode::kAborted:
      return "ERR_ABORTED";
    case ErrorCode::kOutOfMemory:
      return "ERR_OUT_OF_MEMORY";
    case ErrorCode::kInternal:
      return "ERR_INTERNAL";
  }
  return "ERR_INTERNAL";
}

Error copy_of(const Error& error) noexcept {
  try {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kOutOfMemory, Literal("out of memory"));
  }
}

Error current_error() noexcept {
  try {
    try {
      throw;
    } catch (const Error& error) {
      return error;
    } catch (const std::bad_alloc&) {
      return Error(ErrorCode::kOutOfMemory, Literal("out of memory"));
    } catch (const std::exception& error) {
      return Error(ErrorCode::kInternal, error.what());
    } catch (...) {
      return Error(ErrorCode::kInternal, Literal("an unknown native exception"));
    }
  } catch (...) {
    return Error(ErrorCode::kOutOfMemory, Literal("out of memory"));
  }
}

}  // namespace gteway
