#include "addon/texts.hpp"

#include <algorithm>
#include <string>

#include "base/error.hpp"

namespace gteway::addon {

TextBlock copy_texts(Napi::Env env, const Napi::Value& strings) {
  if (!strings.IsArray()) throw Error(ErrorCode::kInvalidArgument, "texts must be an array of strings");
  const Napi::Array array = strings.As<Napi::Array>();
  const uint32_t count = array.Length();
  TextBlock block;
  block.ends.reserve(count);
  size_t used = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Napi::HandleScope scope(env);
    const napi_value value = array.Get(i);
    // Asking for Latin-1 without a buffer tells the length in code units, without looking at the characters.
    // One code unit is at most three bytes of UTF-8, so this much room makes the copy a single pass; what of
    // it was not needed is given back below.
    size_t units = 0;
    if (napi_get_value_string_latin1(env, value, nullptr, 0, &units) != napi_ok)
      throw Error(ErrorCode::kInvalidArgument, "texts[" + std::to_string(i) + "] is not a string");
    const size_t room = units * 3 + 1;
    if (block.bytes.size() - used < room) block.bytes.resize(std::max(used + room, block.bytes.size() * 2));
    size_t written = 0;
    napi_get_value_string_utf8(env, value, block.bytes.data() + used, room, &written);
    used += written;
    block.ends.push_back(used);
  }
  block.bytes.resize(used);
  // The queue's bound counts bytes, not room for them. A quarter more is what counting costs in accuracy.
  if (block.bytes.capacity() > used + used / 4) block.bytes.shrink_to_fit();
  return block;
}

Queries copy_queries(Napi::Env env, const Napi::Value& strings, const Napi::Value& of, size_t texts) {
  Queries queries;
  queries.texts = copy_texts(env, strings);
  if (!of.IsTypedArray() || of.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
    throw Error(ErrorCode::kInvalidArgument, "queryOf must be a Uint32Array");
  const auto indexes = of.As<Napi::Uint32Array>();
  queries.of.assign(indexes.Data(), indexes.Data() + indexes.ElementLength());
  const auto in_range = [&](uint32_t index) { return index < queries.texts.size(); };
  const bool complete = queries.of.empty() ? texts == 0 || in_range(0)
                                           : queries.of.size() == texts &&
                                                 std::all_of(queries.of.begin(), queries.of.end(), in_range);
  if (!complete) throw Error(ErrorCode::kInvalidArgument, "queryOf must name a query for each text");
  return queries;
}

}  // namespace gteway::addon
