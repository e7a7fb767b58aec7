// NativeTokenizer: plain data in, ids out. Everything here runs on the JS thread; sessions take the shared
// tokenizer to their own.
#include "addon/tokenizer_wrap.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "addon/boundary.hpp"
#include "tokenizer/transcode.hpp"
#include "tokenizer/utf8.hpp"

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

std::vector<uint32_t> numbers_of(Napi::Value value, const char* what) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
    malformed(std::string(what) + " is not a Uint32Array");
  const auto numbers = value.As<Napi::Uint32Array>();
  return {numbers.Data(), numbers.Data() + numbers.ElementLength()};
}

// The string's units as they are; it must have exactly `units` of them.
template <class Text, class Get>
void read_units(Napi::Env env, Napi::Value string, size_t units, Text& text, Get get) {
  text.resize(units);
  size_t read = 0;
  // The terminating zero goes where std::basic_string has its own.
  if (get(env, string, text.data(), units + 1, &read) != napi_ok || read != units)
    malformed("a part is not a string of the length of its texts");
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

// A limit on a number of things: Infinity is none.
size_t limit_of(Napi::Value value) {
  if (!value.IsNumber()) malformed("a limit is not a number");
  const double limit = value.As<Napi::Number>().DoubleValue();
  if (!(limit >= 0)) malformed("a limit is negative");
  return limit < 9007199254740992.0 ? static_cast<size_t>(limit) : Tokenizer::kNoLimit;
}

std::string bytes_of(Napi::Value value, const char* what) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    malformed(std::string(what) + " is not a Uint8Array");
  const auto bytes = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(bytes.Data()), bytes.ElementLength()};
}

// The place of a step's word in the list of those there are.
template <class Enum>
Enum named(Napi::Value value, const char* what, std::initializer_list<std::pair<const char*, Enum>> names) {
  const std::string name = text_of(value, what);
  for (const auto& [known, meaning] : names)
    if (name == known) return meaning;
  malformed(std::string(what) + " is " + name);
}

PatternConfig pattern_of(Napi::Value value) {
  if (!value.IsObject()) malformed("a step's pattern is not an object");
  const auto from = value.As<Napi::Object>();
  PatternConfig pattern;
  pattern.literal = text_of(from.Get("literal"), "a pattern's literal");
  const std::string characters = text_of(from.Get("characters"), "a pattern's characters");
  for (size_t at = 0; at < characters.size();) {
    const utf8::Decoded next = utf8::decode(characters, at);
    pattern.characters.push_back(next.point);
    at += next.bytes;
  }
  pattern.whitespace = flag_of(from, "whitespace");
  pattern.least = std::max<size_t>(limit_of(from.Get("least")), 1);
  pattern.most = limit_of(from.Get("most"));
  return pattern;
}

NormalizerStep normalizer_of(Napi::Object from) {
  using Kind = NormalizerStep::Kind;
  NormalizerStep step{};
  step.kind = named<Kind>(from.Get("type"), "a normalizer's type",
                          {{"BertNormalizer", Kind::kBert},
                           {"NFC", Kind::kNfc},
                           {"NFD", Kind::kNfd},
                           {"NFKC", Kind::kNfkc},
                           {"NFKD", Kind::kNfkd},
                           {"Lowercase", Kind::kLowercase},
                           {"StripAccents", Kind::kStripAccents},
                           {"Nmt", Kind::kNmt},
                           {"Replace", Kind::kReplace},
                           {"Prepend", Kind::kPrepend},
                           {"Strip", Kind::kStrip},
                           {"Precompiled", Kind::kPrecompiled}});
  switch (step.kind) {
    case Kind::kBert:
      step.clean_text = flag_of(from, "cleanText");
      step.handle_chinese_chars = flag_of(from, "handleChineseChars");
      step.strip_accents = flag_of(from, "stripAccents");
      step.lowercase = flag_of(from, "lowercase");
      break;
    case Kind::kReplace:
      step.pattern = pattern_of(from.Get("pattern"));
      [[fallthrough]];
    case Kind::kPrepend:
      step.text = text_of(from.Get("text"), "a normalizer's text");
      break;
    case Kind::kStrip:
      step.strip_left = flag_of(from, "left");
      step.strip_right = flag_of(from, "right");
      break;
    case Kind::kPrecompiled:
      step.bytes = bytes_of(from.Get("bytes"), "a character map");
      break;
    default:
      break;
  }
  return step;
}

PreTokenizerStep pre_tokenizer_of(Napi::Object from) {
  using Kind = PreTokenizerStep::Kind;
  using Behavior = PreTokenizerStep::Behavior;
  using Prepend = PreTokenizerStep::Prepend;
  PreTokenizerStep step{};
  step.kind = named<Kind>(from.Get("type"), "a pre-tokenizer's type",
                          {{"BertPreTokenizer", Kind::kBert},
                           {"Whitespace", Kind::kWhitespace},
                           {"WhitespaceSplit", Kind::kWhitespaceSplit},
                           {"Punctuation", Kind::kPunctuation},
                           {"Digits", Kind::kDigits},
                           {"Pattern", Kind::kPattern},
                           {"Regex", Kind::kRegex},
                           {"ByteLevel", Kind::kByteLevel},
                           {"Metaspace", Kind::kMetaspace}});
  switch (step.kind) {
    case Kind::kPattern:
      step.pattern = pattern_of(from.Get("pattern"));
      step.invert = flag_of(from, "invert");
      [[fallthrough]];
    case Kind::kPunctuation:
    case Kind::kDigits:
      step.behavior = named<Behavior>(from.Get("behavior"), "a pre-tokenizer's behavior",
                                      {{"Removed", Behavior::kRemoved},
                                       {"Isolated", Behavior::kIsolated},
                                       {"MergedWithPrevious", Behavior::kMergedWithPrevious},
                                       {"MergedWithNext", Behavior::kMergedWithNext},
                                       {"Contiguous", Behavior::kContiguous}});
      break;
    case Kind::kRegex:
      step.regex = named<WordRegex>(
          from.Get("regex"), "a pre-tokenizer's regex",
          {{"gpt2", WordRegex::kGpt2}, {"cl100k", WordRegex::kCl100k}, {"qwen", WordRegex::kQwen}});
      break;
    case Kind::kByteLevel:
      step.add_prefix_space = flag_of(from, "addPrefixSpace");
      step.use_regex = flag_of(from, "useRegex");
      break;
    case Kind::kMetaspace:
      step.text = text_of(from.Get("text"), "a pre-tokenizer's text");
      if (step.text.empty()) malformed("Metaspace has an empty replacement");
      step.prepend = named<Prepend>(
          from.Get("prepend"), "a pre-tokenizer's prepend",
          {{"always", Prepend::kAlways}, {"first", Prepend::kFirst}, {"never", Prepend::kNever}});
      step.split = flag_of(from, "split");
      break;
    default:
      break;
  }
  return step;
}

// An array of objects, each read by `read`.
template <class T, class Read>
std::vector<T> steps_of(Napi::Value value, const char* what, Read read) {
  if (!value.IsArray()) malformed(std::string(what) + " is not an array");
  const auto array = value.As<Napi::Array>();
  std::vector<T> steps;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array[i];
    if (!item.IsObject()) malformed(std::string(what) + " holds something that is not an object");
    steps.push_back(read(item.As<Napi::Object>()));
  }
  return steps;
}

TokenizerConfig config_of(Napi::Object from) {
  TokenizerConfig config;
  config.model = named<ModelKind>(
      from.Get("model"), "model",
      {{"WordPiece", ModelKind::kWordPiece}, {"Unigram", ModelKind::kUnigram}, {"BPE", ModelKind::kBpe}});
  const Napi::Value scores = from.Get("scores");
  if (!scores.IsTypedArray() || scores.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    malformed("scores is not a Float64Array");
  const auto score_values = scores.As<Napi::Float64Array>();
  config.scores.assign(score_values.Data(), score_values.Data() + score_values.ElementLength());
  config.unk_id = id_of(from.Get("unkId"), "unkId");
  config.merges = ids_of(from.Get("merges"), "merges");
  config.end_of_word_suffix = text_of(from.Get("endOfWordSuffix"), "endOfWordSuffix");
  config.byte_fallback = flag_of(from, "byteFallback");
  config.fuse_unk = flag_of(from, "fuseUnk");
  config.ignore_merges = flag_of(from, "ignoreMerges");
  config.byte_level = flag_of(from, "byteLevel");
  config.bert = flag_of(from, "bert");
  config.normalizers = steps_of<NormalizerStep>(from.Get("normalizers"), "normalizers", normalizer_of);
  config.pre_tokenizers =
      steps_of<PreTokenizerStep>(from.Get("preTokenizers"), "preTokenizers", pre_tokenizer_of);
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
  const std::vector<int32_t> pair_ids = ids_of(from.Get("pairIds"), "pairIds"),
                             pair_type_ids = ids_of(from.Get("pairTypeIds"), "pairTypeIds");
  if (pair_ids.size() != pair_type_ids.size()) malformed("pairIds and pairTypeIds do not belong together");
  for (size_t i = 0; i < pair_ids.size(); ++i) config.pair.push_back({pair_ids[i], pair_type_ids[i]});
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
  config.left_out_id = id_of(from.Get("leftOutId"), "leftOutId");
  config.chars_per_token = limit_of(from.Get("charsPerToken"));
  return config;
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
    return DefineClass(env, "NativeTokenizer",
                       {InstanceMethod<&TokenizerWrap::encode>("encode"),
                        InstanceMethod<&TokenizerWrap::encode_batch>("encodeBatch"),
                        InstanceMethod<&TokenizerWrap::encode_pair>("encodePair"),
                        InstanceMethod<&TokenizerWrap::count>("count"),
                        InstanceMethod<&TokenizerWrap::count_spans>("countSpans"),
                        InstanceMethod<&TokenizerWrap::token>("token"),
                        InstanceAccessor<&TokenizerWrap::parts_at_spaces>("partsAtSpaces"),
                        InstanceAccessor<&TokenizerWrap::special_tokens_added>("specialTokensAdded"),
                        InstanceAccessor<&TokenizerWrap::pairs>("pairs"),
                        InstanceAccessor<&TokenizerWrap::pair_tokens_added>("pairTokensAdded")});
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

  // (parts, oneByte, rows, lengths, maxTokens, addSpecialTokens) → { ids, offsets, truncated }. A part is
  // texts joined: one string to read instead of many. `rows`: texts in each part, `lengths`: UTF-16 units of
  // each text.
  Napi::Value encode_batch(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const Napi::Env env = info.Env();
      if (!info[0].IsArray() || !info[1].IsArray()) malformed("parts are not arrays");
      const auto parts = info[0].As<Napi::Array>(), one_byte = info[1].As<Napi::Array>();
      const std::vector<uint32_t> rows = numbers_of(info[2], "rows"),
                                  lengths = numbers_of(info[3], "lengths");
      const size_t limit = limit_of(info[4]);
      const bool add_special_tokens = info[5].ToBoolean();
      if (parts.Length() != rows.size() ||
          std::accumulate(rows.begin(), rows.end(), size_t{0}) != lengths.size())
        malformed("parts, rows and lengths do not belong together");

      std::vector<int32_t> ids;
      std::vector<uint32_t> offsets{0};
      std::vector<uint8_t> truncated;
      offsets.reserve(lengths.size() + 1);
      truncated.reserve(lengths.size());
      std::string one_byte_text, storage;
      std::u16string two_byte_text;
      const auto add = [&](std::string_view text) {
        truncated.push_back(tokenizer_->encode(text, limit, add_special_tokens, ids));
        if (ids.size() > std::numeric_limits<uint32_t>::max())
          malformed("the texts have more than 4294967295 tokens: encode them in several calls");
        offsets.push_back(static_cast<uint32_t>(ids.size()));
      };
      const uint32_t* length = lengths.data();
      for (uint32_t part = 0; part < rows.size(); ++part) {
        const Napi::HandleScope scope(env);
        const Napi::Value joined = parts[part];
        const size_t units = std::accumulate(length, length + rows[part], size_t{0});
        size_t at = 0;
        if (Napi::Value(one_byte[part]).ToBoolean()) {
          read_units(env, joined, units, one_byte_text, napi_get_value_string_latin1);
          for (const uint32_t* end = length + rows[part]; length != end; at += *length++)
            add(utf8_of_latin1(std::string_view(one_byte_text).substr(at, *length), storage));
        } else {
          read_units(env, joined, units, two_byte_text, napi_get_value_string_utf16);
          for (const uint32_t* end = length + rows[part]; length != end; at += *length++)
            add(utf8_of_utf16(std::u16string_view(two_byte_text).substr(at, *length), storage));
        }
      }
      Napi::Object result = Napi::Object::New(env);
      result.Set("ids", copied<Napi::Int32Array>(env, ids));
      result.Set("offsets", copied<Napi::Uint32Array>(env, offsets));
      result.Set("truncated", copied<Napi::Uint8Array>(env, truncated));
      return result;
    });
  }

  // (first, second, maxTokens, addSpecialTokens) → { ids, typeIds, truncated }
  Napi::Value encode_pair(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const std::string first = text_of(info[0], "first"), second = text_of(info[1], "second");
      std::vector<int32_t> ids, type_ids;
      const bool truncated =
          tokenizer_->encode_pair(first, second, limit_of(info[2]), info[3].ToBoolean(), ids, type_ids);
      Napi::Object result = Napi::Object::New(info.Env());
      result.Set("ids", copied<Napi::Int32Array>(info.Env(), ids));
      result.Set("typeIds", copied<Napi::Int32Array>(info.Env(), type_ids));
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

  // (text, oneByte, spans) → what each span by itself takes up of a limit. `spans`: begin and end of each, in
  // UTF-16 units.
  Napi::Value count_spans(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const Napi::Env env = info.Env();
      const std::vector<uint32_t> spans = numbers_of(info[2], "spans");
      size_t units = 0;
      if (napi_get_value_string_latin1(env, info[0], nullptr, 0, &units) != napi_ok)
        malformed("text is not a string");
      std::vector<uint32_t> counts;
      counts.reserve(spans.size() / 2);
      std::string storage;
      const auto count_all = [&](auto text, auto utf8_of) {
        for (size_t i = 0; i + 1 < spans.size(); i += 2) {
          if (spans[i] > spans[i + 1] || spans[i + 1] > units) malformed("a span lies outside the text");
          const std::string_view span = utf8_of(text.substr(spans[i], spans[i + 1] - spans[i]), storage);
          counts.push_back(static_cast<uint32_t>(tokenizer_->share_of_limit(span)));
        }
      };
      if (info[1].ToBoolean()) {
        std::string text;
        read_units(env, info[0], units, text, napi_get_value_string_latin1);
        count_all(std::string_view(text), utf8_of_latin1);
      } else {
        std::u16string text;
        read_units(env, info[0], units, text, napi_get_value_string_utf16);
        count_all(std::u16string_view(text), utf8_of_utf16);
      }
      return copied<Napi::Uint32Array>(env, counts);
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

  Napi::Value pairs(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), tokenizer_->pairs());
  }

  Napi::Value pair_tokens_added(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(tokenizer_->pair_tokens_added()));
  }

  Napi::Value parts_at_spaces(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), tokenizer_->parts_at_spaces());
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
