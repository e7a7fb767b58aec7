#pragma once

#include <napi.h>

#include <memory>

#include "tokenizer/tokenizer.hpp"

namespace gteway::addon {

// The tokenizer behind a NativeTokenizer object. Throws a JS TypeError for any other value.
std::shared_ptr<const Tokenizer> tokenizer_from_js(Napi::Value value);

}  // namespace gteway::addon
