#include "engine/ort/ort_session.hpp"

#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/thread_name.hpp"

namespace gteway::ort {
namespace {

SessionOptionsPtr make_options(size_t threads, const OrtCUDAProviderOptionsV2* cuda) {
  OrtSessionOptions* raw_options = nullptr;
  check(api().CreateSessionOptions(&raw_options), ErrorCode::kInternal, "create session options");
  SessionOptionsPtr options(raw_options);
  const auto set = [&](OrtStatus* status) { check(status, ErrorCode::kInternal, "set a session option"); };
  set(api().SetIntraOpNumThreads(options.get(), static_cast<int>(threads)));
  set(api().SetInterOpNumThreads(options.get(), 1));
  set(api().SetSessionGraphOptimizationLevel(options.get(), kOptimizeAll));
  // Quiet also where another addon made the environment, with a logger that prints, unless somebody wants to
  // hear.
  set(api().SetSessionLogSeverityLevel(options.get(), log_is_wanted() ? kWarning : kFatal));
  // Only threads that share a text wait for each other many times in a run, too briefly to sleep.
  const char* spinning = threads > 1 ? "1" : "0";
  set(api().AddSessionConfigEntry(options.get(), "session.intra_op.allow_spinning", spinning));
  if (cuda != nullptr)
    check(api().SessionOptionsAppendExecutionProvider_CUDA_V2(options.get(), cuda),
          ErrorCode::kDeviceUnavailable, "append the CUDA execution provider");
  return options;
}

// How many threads are opening something, wanted or not.
struct Openings {
  std::mutex mutex;
  std::condition_variable ended;
  size_t running = 0;  // guarded
};
Openings& openings() {
  static Openings& all = *new Openings;  // never destroyed: it is what the end of the process waits for
  return all;
}

// One session that is being opened: by a thread of its own, for a caller who may not wait for it.
class Opening {
 public:
  Opening(std::string path, SessionOptionsPtr options)
      : path_(std::move(path)), options_(std::move(options)) {}

  void run() noexcept {
    OrtSession* raw = nullptr;
#ifdef _WIN32
    const std::wstring native_path =
        std::filesystem::path(reinterpret_cast<const char8_t*>(path_.c_str())).wstring();
#else
    const std::string& native_path = path_;
#endif
    StatusPtr failure(api().CreateSession(library().env, native_path.c_str(), options_.get(), &raw));
    SessionPtr opened(raw);
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      if (!abandoned_) {
        session_ = std::move(opened);
        failure_ = std::move(failure);
      }
    }
    changed_.notify_all();
    if (opened) {
      opened.reset();
      return_freed_memory();
    }
  }

  void abandon() noexcept {
    if (OrtStatus* status = api().SessionOptionsSetLoadCancellationFlag(options_.get(), true))
      api().ReleaseStatus(status);
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    changed_.notify_all();
  }

  SessionPtr wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || abandoned_; });
    if (abandoned_) throw Error(ErrorCode::kAborted, Literal("the session is closing"));
    if (failure_)
      throw Error(ErrorCode::kModelInvalid,
                  "ONNX Runtime could not load " + path_ + ": " + api().GetErrorMessage(failure_.get()));
    return std::move(session_);
  }

 private:
  const std::string path_;
  const SessionOptionsPtr options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // ---- guarded
  SessionPtr session_;
  StatusPtr failure_;
  bool ended_ = false;
  bool abandoned_ = false;
};

// The thread's last act, behind which it touches nothing of ONNX Runtime's.
void count_ended() noexcept {
  Openings& all = openings();
  const std::lock_guard lock(all.mutex);
  --all.running;
  all.ended.notify_all();
}

void start(std::shared_ptr<Opening> opening) {
  {
    Openings& all = openings();
    const std::lock_guard lock(all.mutex);
    ++all.running;
  }
  try {
    std::thread([opening]() mutable {
      set_thread_name("gteway-open");
      opening->run();
      opening.reset();
      count_ended();
    }).detach();
  } catch (const std::exception&) {
    count_ended();
    opening->run();  // where there is no thread to be had, the caller's
  }
}

}  // namespace

SessionPtr open_session(const std::string& path, size_t threads, const OrtCUDAProviderOptionsV2* cuda,
                        const StopFlag& stop) {
  const auto opening = std::make_shared<Opening>(path, make_options(threads, cuda));
  const StopFlag::Callback abandon(stop, [opening] {
    // For a process that ends without JavaScript being told: before the static objects that there are by now.
    static const int registered = std::atexit([] { wait_for_openings(); });
    (void)registered;
    opening->abandon();
  });
  stop.throw_if_stopped();
  start(opening);
  return opening->wait();
}

void wait_for_openings() noexcept {
  Openings& all = openings();
  std::unique_lock lock(all.mutex);
  all.ended.wait(lock, [&all] { return all.running == 0; });
}

}  // namespace gteway::ort
