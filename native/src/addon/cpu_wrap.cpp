// What the machine is, which kernels were chosen, and the kernels that JavaScript calls directly.
#include <optional>
#include <string>

#include "addon/arguments.hpp"
#include "addon/boundary.hpp"
#include "cpu/features.hpp"
#include "cpu/topology.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "kernels/kernels.hpp"
#include "kernels/matrix.hpp"

namespace gteway::addon {
namespace {

Napi::String string(Napi::Env env, std::string_view value) {
  return Napi::String::New(env, value.data(), value.size());
}

struct FloatArray {
  const float* data;
  size_t size;
};

FloatArray float_array(const Napi::CallbackInfo& info, size_t index) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
    throw Error(ErrorCode::kInvalidArgument, "argument " + std::to_string(index) + " must be a Float32Array");
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.ElementLength()};
}

// Rows of a matrix of `size` elements.
size_t rows_of(size_t size, size_t dimensions) {
  if (size % dimensions != 0)
    throw Error(ErrorCode::kInvalidArgument, std::to_string(size) + " values are not whole rows of " +
                                                 std::to_string(dimensions) + " dimensions");
  return size / dimensions;
}

size_t dimensions(const Napi::CallbackInfo& info, size_t index) {
  const double value = number({info, index});
  if (!(value >= 1 && value <= 4294967295.0))
    throw Error(ErrorCode::kInvalidArgument, "dimensions must be at least 1, not " + std::to_string(value));
  return static_cast<size_t>(value);
}

// (dtype) → why the packed encoder cannot compute in it on this machine, or null.
Napi::Value encoder_unavailable_in(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    // A model's sizes hardly matter to the question; those of a small BERT are as good as any.
    const EncoderConfig usual{.vocabulary = 30522,
                              .positions = 512,
                              .token_types = 2,
                              .hidden = 384,
                              .layers = 12,
                              .heads = 12,
                              .head_size = 32,
                              .intermediate = 1536};
    const std::optional<std::string> reason = encoder_unavailable(usual, text({info, 0}));
    return reason ? Napi::Value(string(env, *reason)) : env.Null();
  });
}

Napi::Value cpu_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    Napi::Object result = Napi::Object::New(env);
    result.Set("brand", string(env, cpu::brand()));
    Napi::Object features = Napi::Object::New(env);
    for (const auto& [name, member] : cpu::named_features())
      features.Set(string(env, name), Napi::Boolean::New(env, cpu::features().*member));
    result.Set("features", features);
    const size_t usable = cpu::usable_cpus();
    const std::optional<double> quota = cpu::cgroup_cpu_quota();
    result.Set("threads", static_cast<double>(cpu::threads_for(usable, quota)));
    result.Set("usableCpus", static_cast<double>(usable));
    result.Set("cpuQuota", quota ? Napi::Value(Napi::Number::New(env, *quota)) : env.Null());

    const std::string_view active = kernels::active_isa();
    result.Set("isa", string(env, active));
    Napi::Array isas = Napi::Array::New(env);
    for (const kernels::Implementation& implementation : kernels::implementations())
      if (implementation.supported) isas.Set(isas.Length(), string(env, implementation.isa));
    result.Set("isas", isas);
    Napi::Object sources = Napi::Object::New(env);
    for (const auto& [kernel, isa] : kernels::sources_for(active))
      sources.Set(string(env, kernel), string(env, isa));
    result.Set("kernels", sources);
    return result;
  });
}

Napi::Value similarity_matrix(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const FloatArray a = float_array(info, 0), b = float_array(info, 1);
    const size_t dims = dimensions(info, 2);
    const size_t rows_a = rows_of(a.size, dims), rows_b = rows_of(b.size, dims);
    auto result = new_array<Napi::Float32Array>(env, "Float32Array", rows_a * rows_b);
    kernels::similarity_matrix(a.data, rows_a, b.data, rows_b, dims, result.Data());
    return result;
  });
}

Napi::Value to_int8(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const FloatArray x = float_array(info, 0);
    const float scale = static_cast<float>(number({info, 1}));
    auto result = new_array<Napi::Int8Array>(env, "Int8Array", x.size);
    kernels::active().f32_to_i8(x.data, x.size, scale, result.Data());
    return result;
  });
}

Napi::Value to_bits(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const FloatArray x = float_array(info, 0);
    const size_t dims = dimensions(info, 1);
    const size_t rows = rows_of(x.size, dims);
    auto result = new_array<Napi::Uint8Array>(env, "Uint8Array", rows * ((dims + 7) / 8));
    kernels::rows_to_bits(x.data, rows, dims, result.Data());
    return result;
  });
}

}  // namespace

void register_cpu(Napi::Env env, Napi::Object exports) {
  exports.Set("cpu", Napi::Function::New(env, cpu_info, "cpu"));
  exports.Set("encoderUnavailable", Napi::Function::New(env, encoder_unavailable_in, "encoderUnavailable"));
  exports.Set("similarityMatrix", Napi::Function::New(env, similarity_matrix, "similarityMatrix"));
  exports.Set("toInt8", Napi::Function::New(env, to_int8, "toInt8"));
  exports.Set("toBits", Napi::Function::New(env, to_bits, "toBits"));
}

}  // namespace gteway::addon
