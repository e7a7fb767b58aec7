// The addon's table of contents.
#include "addon/boundary.hpp"
#include "addon/environment.hpp"
#include "base/shared_library.hpp"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  using namespace gteway::addon;
  guard(env, [&] {
    gteway::keep_own_library();
    exports.Set("version", GTEWAY_VERSION);
    Environment::create(env);
    register_log(env, exports);
    register_cpu(env, exports);
    register_ort(env, exports);
    register_cuda(env, exports);
    register_tokenizer(env, exports);
    register_session(env, exports);
    register_search(env, exports);
#ifdef GTEWAY_FAILING_ALLOCATIONS
    register_failing_allocations(env, exports);
#endif
  });
  return exports;
}

NODE_API_MODULE(gteway, init)
