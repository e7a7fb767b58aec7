#include "engine/ort/ort_engine.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/thread_name.hpp"
#include "engine/ort/ort_cuda.hpp"
#include "engine/ort/ort_model.hpp"
#include "engine/ort/ort_session.hpp"
#include "kernels/kernels.hpp"

namespace gteway::ort {
namespace {

// Measured with native ORT 1.30 on gte-small, two threads, mixed lengths: 256 to 512 padded tokens a call run
// fastest; beyond 1,024 the activations leave the second-level cache and it loses 10 to 15 %. See
// ARCHITECTURE.md.
constexpr size_t kCpuBatchTokens = 256;
constexpr size_t kGpuBatchTokens = 16384;

// Under load every thread runs batches of its own on one thread, which is faster than any sharing of a batch.
// A text that is alone in the session is ready sooner when all threads share it, but for ONNX Runtime the
// number of threads belongs to the session, and a second session has its own copy of the weights. So it is
// opened by the first lone text, in the background: who only embeds in bulk never pays for it, and nobody
// waits for it.
class SharedThreadsSession {
 public:
  SharedThreadsSession(std::string path, size_t threads) : path_(std::move(path)), threads_(threads) {}
  ~SharedThreadsSession() {
    stop();
    if (opener_.joinable()) opener_.join();
  }
  SharedThreadsSession(const SharedThreadsSession&) = delete;
  SharedThreadsSession& operator=(const SharedThreadsSession&) = delete;

  OrtSession* get_or(OrtSession* otherwise) noexcept {
    const std::lock_guard lock(mutex_);
    if (!begun_) begin();
    return session_ ? session_.get() : otherwise;
  }

  // Gives up the opening.
  void stop() noexcept { stop_.stop(); }

 private:
  // Once, whatever comes of it: what fails is most likely memory for a second copy, or a thread, and what
  // there is goes on.
  void begin() noexcept {
    begun_ = true;
    try {
      opener_ = std::thread([this] {
        set_thread_name("gteway-open");
        open();
      });
    } catch (const std::exception& error) {
      log(LogLevel::kWarning, "gteway", error.what());
    }
  }

  void open() noexcept {
    try {
      SessionPtr opened = open_session(path_, threads_, nullptr, stop_);
      return_freed_memory();
      const std::lock_guard lock(mutex_);
      session_ = std::move(opened);
    } catch (const std::exception& error) {
      if (!stop_.stopped()) log(LogLevel::kWarning, "gteway", error.what());
    }
  }

  const std::string path_;
  const size_t threads_;
  StopFlag stop_;
  std::mutex mutex_;
  bool begun_ = false;  // guarded, as what follows
  SessionPtr session_;
  std::thread opener_;
};

// The padded tensors one Run() call reads. Kept per thread, so that a run allocates nothing once it is warm.
struct PaddedInputs {
  std::vector<int64_t> ids, mask, types, positions;  // [rows, longest] each
  std::vector<int32_t> narrow[4];                    // the same for models that take int32
};

void fill_padded(const RaggedBatch& batch, size_t longest, PaddedInputs& padded) {
  const size_t count = batch.size() * longest;
  padded.ids.assign(count, 0);
  padded.mask.assign(count, 0);
  padded.types.assign(count, 0);
  padded.positions.assign(count, 0);
  for (size_t row = 0; row < batch.size(); ++row) {
    const std::span<const int32_t> ids = batch.sequence(row);
    const size_t begin = row * longest;
    std::copy(ids.begin(), ids.end(), padded.ids.begin() + static_cast<ptrdiff_t>(begin));
    if (!batch.types.empty()) {
      const std::span<const int32_t> types = batch.types.subspan(batch.offsets[row], ids.size());
      std::copy(types.begin(), types.end(), padded.types.begin() + static_cast<ptrdiff_t>(begin));
    }
    std::fill_n(padded.mask.begin() + static_cast<ptrdiff_t>(begin), ids.size(), 1);
    for (size_t i = 0; i < longest; ++i) padded.positions[begin + i] = static_cast<int64_t>(i);
  }
}

class OrtEngine final : public Engine {
 public:
  OrtEngine(const EngineOptions& options, std::vector<Fallback>& fallbacks) {
    const CudaOptionsPtr cuda = choose_cuda(options, fallbacks);
    info_.engine = "ort";
    info_.device = cuda ? "cuda:" + std::to_string(options.device_id) : "cpu";
    info_.dtype = options.dtype;

    // First what can be given up: releasing a session takes as long as it is large.
    const bool quantizes = quantizes_at_run_time(options.model_path, *options.stop);
    one_thread_ = open_session(options.model_path, 1, cuda.get(), *options.stop);
    model_ = describe_model(one_thread_.get(), options.model_path);
    model_.quantized_at_run_time = quantizes;
    if (!cuda) shared_.emplace(options.model_path, options.threads);
    info_.dimensions = model_.rows.width;
    info_.labels = model_.logits.width;

    cost_.padded = true;
    cost_.max_batch_tokens = options.max_batch_tokens > 0 ? options.max_batch_tokens
                             : cuda                       ? kGpuBatchTokens
                                                          : kCpuBatchTokens;
    if (model_.quantized_at_run_time) cost_.max_batch_rows = 1;

    OrtMemoryInfo* memory = nullptr;
    check(api().CreateCpuMemoryInfo(kArenaAllocator, kMemTypeDefault, &memory), ErrorCode::kInternal,
          "describe CPU memory");
    cpu_memory_.reset(memory);
  }

  const EngineInfo& info() const noexcept override { return info_; }
  const CostModel& cost() const noexcept override { return cost_; }

  void embed(const RaggedBatch& batch, Pooling pooling, bool normalize, size_t threads,
             std::span<float> out) override {
    if (batch.size() == 0) return;
    require_rows(info_, pooling);
    size_t longest = 0;
    for (size_t i = 0; i < batch.size(); ++i) longest = std::max(longest, batch.length(i));
    OrtSession* session = one_thread_.get();
    if (threads > 1 && batch.size() == 1 && shared_) session = shared_->get_or(session);
    const Output& output = pooling == Pooling::kScore ? model_.logits : model_.rows;
    const ValuePtr value = run(*session, batch, longest, output);
    void* data = nullptr;
    check(api().GetTensorMutableData(value.get(), &data), ErrorCode::kInferenceFailed,
          "read the model's output");
    const auto rows = static_cast<int64_t>(batch.size()), width = static_cast<int64_t>(output.width);
    if (pooling == Pooling::kScore) {
      expect_shape(*value, output, {rows, width});
      read(data, output, 0, batch.size() * output.width, out.data());
    } else {
      expect_shape(*value, output, {rows, static_cast<int64_t>(longest), width});
      pool(data, batch, longest, pooling, normalize, out);
    }
  }

  void terminate() noexcept override {
    if (shared_) shared_->stop();
    const std::lock_guard lock(runs_mutex_);
    terminated_ = true;
    for (OrtRunOptions* run : runs_)
      if (OrtStatus* status = api().RunOptionsSetTerminate(run)) api().ReleaseStatus(status);
  }

 private:
  // Registers a run so that terminate() reaches it.
  class RunGuard {
   public:
    explicit RunGuard(OrtEngine& engine) : engine_(engine) {
      OrtRunOptions* raw = nullptr;
      check(api().CreateRunOptions(&raw), ErrorCode::kInternal, "create run options");
      options_.reset(raw);
      const std::lock_guard lock(engine_.runs_mutex_);
      if (engine_.terminated_) throw Error(ErrorCode::kAborted, "the session is closing");
      engine_.runs_.insert(raw);
    }
    ~RunGuard() {
      const std::lock_guard lock(engine_.runs_mutex_);
      engine_.runs_.erase(options_.get());
    }
    RunGuard(const RunGuard&) = delete;
    RunGuard& operator=(const RunGuard&) = delete;
    const OrtRunOptions* options() const noexcept { return options_.get(); }

   private:
    OrtEngine& engine_;
    RunOptionsPtr options_;
  };

  ValuePtr run(OrtSession& session, const RaggedBatch& batch, size_t longest, const Output& from) {
    static thread_local PaddedInputs padded;
    fill_padded(batch, longest, padded);
    const int64_t shape[2] = {static_cast<int64_t>(batch.size()), static_cast<int64_t>(longest)};

    std::vector<ValuePtr> values;
    std::vector<const OrtValue*> inputs;
    std::vector<const char*> names;
    for (const Input& input : model_.inputs) {
      values.push_back(make_tensor(input, padded, shape));
      inputs.push_back(values.back().get());
      names.push_back(input.name.c_str());
    }
    const char* output_name = from.name.c_str();
    OrtValue* output = nullptr;
    const RunGuard guard(*this);
    OrtStatus* raw = api().Run(&session, guard.options(), names.data(), inputs.data(), inputs.size(),
                               &output_name, 1, &output);
    const StatusPtr status(raw);
    if (status) {
      const bool aborted = terminated();
      throw Error(aborted ? ErrorCode::kAborted : ErrorCode::kInferenceFailed,
                  aborted ? "the session is closing"
                          : std::string("ONNX Runtime failed on a batch of ") + std::to_string(batch.size()) +
                                " × " + std::to_string(longest) +
                                " tokens: " + api().GetErrorMessage(status.get()));
    }
    return ValuePtr(output);
  }

  ValuePtr make_tensor(const Input& input, PaddedInputs& padded, const int64_t (&shape)[2]) const {
    const size_t role = static_cast<size_t>(input.role);
    std::vector<int64_t>* const sources[] = {&padded.ids, &padded.mask, &padded.types, &padded.positions};
    std::vector<int64_t>& wide = *sources[role];
    void* data = wide.data();
    size_t bytes = wide.size() * sizeof(int64_t);
    if (input.type == kInt32) {
      std::vector<int32_t>& narrow = padded.narrow[role];
      narrow.resize(wide.size());
      std::transform(wide.begin(), wide.end(), narrow.begin(),
                     [](int64_t x) { return static_cast<int32_t>(x); });
      data = narrow.data();
      bytes = narrow.size() * sizeof(int32_t);
    }
    OrtValue* value = nullptr;
    check(api().CreateTensorWithDataAsOrtValue(cpu_memory_.get(), data, bytes, shape, 2, input.type, &value),
          ErrorCode::kInferenceFailed, "make the tensor '" + input.name + "'");
    return ValuePtr(value);
  }

  // A graph may claim one shape and compute another; reading past its end must not be the way to find out.
  static void expect_shape(const OrtValue& value, const Output& output,
                           const std::vector<int64_t>& expected) {
    OrtTensorTypeAndShapeInfo* raw = nullptr;
    check(api().GetTensorTypeAndShape(&value, &raw), ErrorCode::kInferenceFailed, "read the output's shape");
    const ShapeInfoPtr info(raw);
    size_t rank = 0;
    check(api().GetDimensionsCount(info.get(), &rank), ErrorCode::kInferenceFailed,
          "read the output's shape");
    std::vector<int64_t> shape(rank);
    check(api().GetDimensions(info.get(), shape.data(), rank), ErrorCode::kInferenceFailed,
          "read the output's shape");
    if (shape != expected)
      throw Error(ErrorCode::kModelInvalid, "the model's output '" + output.name +
                                                "' has another shape than it declares: [batch, " +
                                                (expected.size() == 3 ? "sequence, " : "") +
                                                std::to_string(output.width) + "] was expected");
  }

  // `count` numbers of the tensor `data`, from the one at `begin`.
  static void read(const void* data, const Output& output, size_t begin, size_t count, float* to) {
    if (output.type == kFloat16)
      kernels::active().f16_to_f32(static_cast<const uint16_t*>(data) + begin, count, to);
    else
      std::copy_n(static_cast<const float*>(data) + begin, count, to);
  }

  // hidden: [rows, longest, dimensions], padding at the end of each row.
  void pool(const void* hidden, const RaggedBatch& batch, size_t longest, Pooling pooling, bool normalize,
            std::span<float> out) const {
    const kernels::Table& kernel = kernels::active();
    const size_t dims = model_.rows.width;
    static thread_local std::vector<float> widened;
    float* to = out.data();
    for (size_t row = 0; row < batch.size(); ++row) {
      const size_t begin = row * longest * dims;
      const size_t tokens = batch.length(row);
      const size_t needed = pooling == Pooling::kCls ? 1 : tokens;
      const float* from = nullptr;  // [needed, dims]
      if (model_.rows.type == kFloat16) {
        widened.resize(needed * dims);
        read(hidden, model_.rows, begin, needed * dims, widened.data());
        from = widened.data();
      } else {
        from = static_cast<const float*>(hidden) + begin;
      }
      const size_t rows_out = pooling == Pooling::kNone ? tokens : 1;
      if (pooling == Pooling::kMean)
        kernel.pool_mean_f32(from, tokens, dims, dims, to);
      else
        std::copy_n(from, rows_out * dims, to);
      if (normalize)
        for (size_t i = 0; i < rows_out; ++i) kernel.l2_normalize_f32(to + i * dims, dims);
      to += rows_out * dims;
    }
  }

  // Null: run on the CPU.
  CudaOptionsPtr choose_cuda(const EngineOptions& options, std::vector<Fallback>& fallbacks) const {
    if (options.device == Device::kCpu) return nullptr;
    try {
      return make_cuda_options(options.device_id, options.gpu_memory_limit);
    } catch (const Error& error) {
      if (options.device == Device::kCuda) throw;
      fallbacks.push_back({"cuda", error.what()});
      return nullptr;
    }
  }

  bool terminated() noexcept {
    const std::lock_guard lock(runs_mutex_);
    return terminated_;
  }

  EngineInfo info_;
  CostModel cost_;
  Model model_{};
  MemoryInfoPtr cpu_memory_;
  SessionPtr one_thread_;
  std::optional<SharedThreadsSession> shared_;  // none on a GPU, where the host's threads only feed it
  std::mutex runs_mutex_;
  std::unordered_set<OrtRunOptions*> runs_;
  bool terminated_ = false;
};

}  // namespace

std::unique_ptr<Engine> make_ort_engine(const EngineOptions& options, std::vector<Fallback>& fallbacks) {
  open_library(options.ort_library);
  options.stop->throw_if_stopped();
  return std::make_unique<OrtEngine>(options, fallbacks);
}

}  // namespace gteway::ort
