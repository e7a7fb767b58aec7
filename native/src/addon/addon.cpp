// The addon's table of contents.
#include "addon/boundary.hpp"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  using namespace gteway::addon;
  guard(env, [&] {
    exports.Set("version", GTEWAY_VERSION);
    register_tokenizer(env, exports);
  });
  return exports;
}

NODE_API_MODULE(gteway, init)
