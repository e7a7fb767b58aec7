#include "base/stop.hpp"

#include "test.hpp"

namespace gteway {
namespace {

TEST("stop flag: a callback is called once, at once where the flag is set already, and not when it is gone") {
  StopFlag flag;
  int calls = 0;
  const auto count = [&calls] { ++calls; };
  { const StopFlag::Callback gone(flag, count); }
  const StopFlag::Callback there(flag, count);
  flag.throw_if_stopped();
  CHECK(!flag.stopped());
  CHECK_EQ(calls, 0);
  flag.stop();
  flag.stop();
  CHECK(flag.stopped());
  CHECK_EQ(calls, 1);
  const StopFlag::Callback late(flag, count);
  CHECK_EQ(calls, 2);
  try {
    flag.throw_if_stopped();
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code == ErrorCode::kAborted);
  }
}

}  // namespace
}  // namespace gteway
