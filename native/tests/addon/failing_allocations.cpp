// What the addon of the tests has beside the real one's: failAllocation(n) lets the nth allocation from now
// on fail (0: none), allocations() tells how many there have been since.
#include <napi.h>

#include "addon/boundary.hpp"
#include "allocations.hpp"

namespace gteway::addon {

void register_failing_allocations(Napi::Env env, Napi::Object exports) {
  exports.Set("failAllocation", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                test::begin_counting(static_cast<size_t>(info[0].As<Napi::Number>().Int64Value()));
              }));
  exports.Set("allocations", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                return Napi::Number::New(info.Env(), static_cast<double>(test::allocations()));
              }));
}

}  // namespace gteway::addon
