// NativeTokenizer: plain data in, ids out. Everything here runs on the JS thread; sessions take the shared
// tokenizer to their own.
#include "addon/tokenizer_wrap.hpp"

#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "addon/boundary.hpp"

namespace gteway::addon {

namespace {

constexpr napi_type_tag kTypeTag = {0x6774657761790001, 0x9C1F5A0E7B3D4426};

[[noreturn]] void malformed(const std::string& what) { throw Error(ErrorCode::kInvalidArgument, what); }

std::string text_of(Napi::Value value, const char* what) {
  if (!value.IsString()) malformed(std::string(what) + " is not a string");
  return value.As<Napi::String>().Utf8Value();
}

bool flag_of(Napi::Object object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsBoolean()) malformed(std::string(name) + " is not a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::vector<int32_t> ids_of(Napi::Value value, const char* what) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
    malformed(std::string(what) + " is not an Int32Array");
  const auto ids = value.As<Napi::Int32Array>();
  return {ids.Data(), ids.Data() + ids.ElementLength()};
}

std::vector<std::string> texts_of(Napi::Value value, const char* what) {
  if (!value.IsArray()) malformed(std::string(what) + " is not an array");
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> texts;
  texts.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(value.Env());
    texts.push_back(text_of(array[i], what));
  }
  return texts;
}

int32_t id_of(Napi::Value value, const char* what) {
  if (!value.IsNumber()) malformed(std::string(what) + " is not a number");
  return value.As<Napi::Number>().Int32Value();
}

TokenizerConfig config_of(Napi::Object from) {
  TokenizerConfig config;
  config.vocabulary_tokens = texts_of(from.Get("vocabularyTokens"), "vocabularyTokens");
  config.vocabulary_ids = ids_of(from.Get("vocabularyIds"), "vocabularyIds");
  config.unk_token = text_of(from.Get("unkToken"), "unkToken");
  config.continuing_subword_prefix = text_of(from.Get("continuingSubwordPrefix"), "continuingSubwordPrefix");
  const Napi::Value max_chars = from.Get("maxInputCharsPerWord");
  if (!max_chars.IsNumber()) malformed("maxInputCharsPerWord is not a number");
  config.max_input_chars_per_word = max_chars.As<Napi::Number>().Uint32Value();
  config.clean_text = flag_of(from, "cleanText");
  config.handle_chinese_chars = flag_of(from, "handleChineseChars");
  config.strip_accents = flag_of(from, "stripAccents");
  config.lowercase = flag_of(from, "lowercase");
  config.prefix_ids = ids_of(from.Get("prefixIds"), "prefixIds");
  config.suffix_ids = ids_of(from.Get("suffixIds"), "suffixIds");
  const Napi::Value added = from.Get("addedTokens");
  if (!added.IsArray()) malformed("addedTokens is not an array");
  const auto added_tokens = added.As<Napi::Array>();
  for (uint32_t i = 0; i < added_tokens.Length(); ++i) {
    const Napi::Value item = added_tokens[i];
    if (!item.IsObject()) malformed("addedTokens holds something that is not an object");
    const auto token = item.As<Napi::Object>();
    config.added_tokens.push_back({text_of(token.Get("content"), "an added token's content"),
                                   id_of(token.Get("id"), "an added token's id"),
                                   flag_of(token, "singleWord"), flag_of(token, "leftStrip"),
                                   flag_of(token, "rightStrip"), flag_of(token, "normalized"),
                                   flag_of(token, "special")});
  }
  return config;
}

// A limit on the number of ids: Infinity is none.
size_t limit_of(Napi::Value value) {
  if (!value.IsNumber()) malformed("maxTokens is not a number");
  const double limit = value.As<Napi::Number>().DoubleValue();
  if (!(limit >= 0)) malformed("maxTokens is negative");
  return limit < 9007199254740992.0 ? static_cast<size_t>(limit) : Tokenizer::kNoLimit;
}

template <class Array, class T>
Array copied(Napi::Env env, const std::vector<T>& values) {
  Array array = Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

class TokenizerWrap : public Napi::ObjectWrap<TokenizerWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "NativeTokenizer",
        {InstanceMethod<&TokenizerWrap::encode>("encode"),
         InstanceMethod<&TokenizerWrap::encode_batch>("encodeBatch"),
         InstanceMethod<&TokenizerWrap::count>("count"), InstanceMethod<&TokenizerWrap::token>("token"),
         InstanceAccessor<&TokenizerWrap::special_tokens_added>("specialTokensAdded")});
  }

  explicit TokenizerWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    guard(info.Env(), [&] {
      if (!info[0].IsObject()) malformed("the tokenizer's configuration is not an object");
      tokenizer_ = std::make_shared<const Tokenizer>(config_of(info[0].As<Napi::Object>()));
      info.This().As<Napi::Object>().TypeTag(&kTypeTag);
    });
  }

  const std::shared_ptr<const Tokenizer>& tokenizer() const noexcept { return tokenizer_; }

 private:
  // (text, maxTokens, addSpecialTokens) → { ids, truncated }
  Napi::Value encode(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const std::string text = text_of(info[0], "text");
      std::vector<int32_t> ids;
      const bool truncated = tokenizer_->encode(text, limit_of(info[1]), info[2].ToBoolean(), ids);
      Napi::Object result = Napi::Object::New(info.Env());
      result.Set("ids", copied<Napi::Int32Array>(info.Env(), ids));
      result.Set("truncated", truncated);
      return result;
    });
  }

  // (texts, maxTokens, addSpecialTokens) → { ids, offsets, truncated }
  Napi::Value encode_batch(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      if (!info[0].IsArray()) malformed("texts is not an array");
      const auto texts = info[0].As<Napi::Array>();
      const size_t limit = limit_of(info[1]);
      const bool add_special_tokens = info[2].ToBoolean();
      const uint32_t rows = texts.Length();
      std::vector<int32_t> ids;
      std::vector<uint32_t> offsets{0};
      offsets.reserve(size_t{rows} + 1);
      Napi::Array truncated = Napi::Array::New(info.Env(), rows);
      for (uint32_t row = 0; row < rows; ++row) {
        const Napi::HandleScope scope(info.Env());
        const std::string text = text_of(texts[row], "a text");
        truncated[row] =
            Napi::Boolean::New(info.Env(), tokenizer_->encode(text, limit, add_special_tokens, ids));
        if (ids.size() > std::numeric_limits<uint32_t>::max())
          malformed("the texts have more than 4294967295 tokens: encode them in several calls");
        offsets.push_back(static_cast<uint32_t>(ids.size()));
      }
      Napi::Object result = Napi::Object::New(info.Env());
      result.Set("ids", copied<Napi::Int32Array>(info.Env(), ids));
      result.Set("offsets", copied<Napi::Uint32Array>(info.Env(), offsets));
      result.Set("truncated", truncated);
      return result;
    });
  }

  // (text, addSpecialTokens) → number
  Napi::Value count(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const std::string text = text_of(info[0], "text");
      return Napi::Number::New(info.Env(), static_cast<double>(tokenizer_->count(text, info[1].ToBoolean())));
    });
  }

  // (id) → string; empty where no token has this id
  Napi::Value token(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const std::string_view token = tokenizer_->token(id_of(info[0], "id"));
      return Napi::String::New(info.Env(), token.data(), token.size());
    });
  }

  Napi::Value special_tokens_added(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(tokenizer_->special_tokens_added()));
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace

std::shared_ptr<const Tokenizer> tokenizer_from_js(Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTypeTag))
    throw Napi::TypeError::New(value.Env(), "expected a NativeTokenizer");
  return TokenizerWrap::Unwrap(value.As<Napi::Object>())->tokenizer();
}

void register_tokenizer(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeTokenizer", TokenizerWrap::define(env));
}

}  // namespace gteway::addon
