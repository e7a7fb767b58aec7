#include "engine/encoder/encoder_engine.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cpu/topology.hpp"
#include "engine/encoder/forward.hpp"
#include "engine/encoder/score.hpp"

namespace gteway {
namespace {

// See native/src/kernels/README.md for what other sizes cost.
constexpr size_t kBatchTokens = 256;

// The instruction set that most of the work is done with.
std::string isa_of(std::string_view dtype) {
  return std::string(kernels::encoder_kernels().source(dtype == "int8"   ? "linear_int8"
                                                       : dtype == "bf16" ? "linear_bf16"
                                                                         : "linear_f32"));
}

class EncoderEngine final : public Engine {
 public:
  EncoderEngine(std::shared_ptr<const PackedEncoder> packed, const EncoderOptions& options)
      : packed_(std::move(packed)),
        info_{.engine = "encoder",
              .device = "cpu",
              .dtype = packed_->dtype,
              .dimensions = packed_->config.hidden,
              .isa = isa_of(packed_->dtype),
              .labels = packed_->head ? packed_->head->labels : 0,
              .cosine = options.cosine},
        cost_{.padded = false,
              .max_batch_tokens = options.max_batch_tokens > 0 ? options.max_batch_tokens : kBatchTokens},
        sharing_{options.sharing.processors > 0 ? options.sharing.processors : cpu::default_core_count(),
                 options.sharing.least_share},
        crew_(std::max<size_t>(std::min(options.threads, sharing_.processors), 1) - 1) {}

  const EngineInfo& info() const noexcept override { return info_; }
  const CostModel& cost() const noexcept override { return cost_; }

  void embed(const RaggedBatch& batch, Pooling pooling, bool normalize, size_t threads,
             std::span<float> out) override {
    if (terminated_) throw Error(ErrorCode::kAborted, "the session is closing");
    if (batch.size() == 0) return;
    require_rows(info_, pooling);
    check_types(batch);
    const size_t longest = check(batch, pooling, out.size());

    threads = threads_worth(*packed_, batch.tokens(), threads, sharing_);
    std::unique_lock crew_lock(crew_mutex_, std::defer_lock);
    if (threads > 1 && !crew_lock.try_lock()) threads = 1;  // another batch has the helpers
    Crew* const crew = threads > 1 ? &crew_ : nullptr;
    std::unique_ptr<Workspace> workspace = take_workspace();
    workspace->reserve(*packed_, batch.tokens(), longest, crew == nullptr ? 1 : crew->workers());
    if (crew != nullptr) crew->begin_shift(threads);
    const bool completed = forward(*packed_, batch, *workspace, crew, terminated_);
    if (crew != nullptr) {
      crew->end_shift();
      crew_lock.unlock();
    }
    if (completed && pooling == Pooling::kScore) score(*packed_, batch, workspace->x, out.data());
    if (completed && pooling != Pooling::kScore) pool(batch, workspace->x, pooling, normalize, out.data());
    give_back(std::move(workspace));
    if (!completed) throw Error(ErrorCode::kAborted, "the session is closing");
  }

  void terminate() noexcept override { terminated_ = true; }

 private:
  // Models without token types, or with one alone, were not trained on them: whatever a tokenizer says, they
  // are not given any. A model of several that only embeds has kept the first.
  void check_types(const RaggedBatch& batch) const {
    if (batch.types.empty() || packed_->config.token_types <= 1) return;
    if (packed_->types == 1) return require_one_type(batch, info_);
    if (batch.types.size() != batch.tokens())
      throw Error(ErrorCode::kInvalidArgument, "the batch has " + std::to_string(batch.tokens()) +
                                                   " tokens and types of " +
                                                   std::to_string(batch.types.size()));
    for (const int32_t type : batch.types)
      if (type < 0 || static_cast<size_t>(type) >= packed_->types)
        throw Error(ErrorCode::kInvalidArgument, "token type " + std::to_string(type) +
                                                     " is not below the model's " +
                                                     std::to_string(packed_->types));
  }

  // The longest sequence's tokens. Throws where the batch is none that this encoder can run.
  size_t check(const RaggedBatch& batch, Pooling pooling, size_t floats) const {
    const EncoderConfig& config = packed_->config;
    size_t longest = 0;
    for (size_t i = 0; i < batch.size(); ++i) {
      if (batch.offsets[i + 1] < batch.offsets[i] || batch.offsets[i + 1] > batch.tokens() ||
          batch.length(i) == 0)
        throw Error(ErrorCode::kInvalidArgument,
                    "sequence " + std::to_string(i) + " of the batch has no tokens");
      longest = std::max(longest, batch.length(i));
    }
    if (batch.offsets.front() != 0 || batch.offsets.back() != batch.tokens())
      throw Error(ErrorCode::kInvalidArgument, "the batch's offsets do not cover its tokens");
    if (longest > config.positions)
      throw Error(ErrorCode::kTextTooLong, "a text has " + std::to_string(longest) +
                                               " tokens, and the model has positions for " +
                                               std::to_string(config.positions));
    for (const int32_t id : batch.ids)
      if (id < 0 || static_cast<size_t>(id) >= config.vocabulary)
        throw Error(ErrorCode::kInvalidArgument, "token id " + std::to_string(id) +
                                                     " is not below the vocabulary of " +
                                                     std::to_string(config.vocabulary));
    const size_t rows = pooling == Pooling::kNone ? batch.tokens() : batch.size();
    const size_t wanted = rows * info_.width(pooling);
    if (floats < wanted)
      throw Error(ErrorCode::kInvalidArgument, "the output has room for " + std::to_string(floats) +
                                                   " numbers, and " + std::to_string(wanted) +
                                                   " are asked for");
    return longest;
  }

  void pool(const RaggedBatch& batch, const Rows& rows, Pooling pooling, bool normalize, float* to) const {
    const kernels::Table& kernel = kernels::active();
    const size_t dims = packed_->config.hidden;
    for (size_t i = 0; i < batch.size(); ++i) {
      const float* const first = reinterpret_cast<const float*>(rows.row(batch.offsets[i]));
      const size_t count = pooling == Pooling::kNone ? batch.length(i) : 1;
      if (pooling == Pooling::kMean)
        kernel.pool_mean_f32(first, batch.length(i), rows.stride / sizeof(float), dims, to);
      else
        for (size_t r = 0; r < count; ++r)
          std::copy_n(reinterpret_cast<const float*>(rows.row(batch.offsets[i] + r)), dims, to + r * dims);
      for (size_t r = 0; normalize && r < count; ++r) kernel.l2_normalize_f32(to + r * dims, dims);
      to += count * dims;
    }
  }

  std::unique_ptr<Workspace> take_workspace() {
    const std::lock_guard lock(idle_mutex_);
    if (idle_.empty()) return std::make_unique<Workspace>();
    std::unique_ptr<Workspace> workspace = std::move(idle_.back());
    idle_.pop_back();
    return workspace;
  }

  void give_back(std::unique_ptr<Workspace> workspace) noexcept {
    const std::lock_guard lock(idle_mutex_);
    try {
      idle_.push_back(std::move(workspace));
    } catch (const std::bad_alloc&) {
      // The next batch makes its own.
    }
  }

  const std::shared_ptr<const PackedEncoder> packed_;
  const EngineInfo info_;
  const CostModel cost_;
  std::atomic<bool> terminated_ = false;
  std::mutex idle_mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;  // as many as calls ran at once, at most
  const Sharing sharing_;
  std::mutex crew_mutex_;
  Crew crew_;
};

}  // namespace

std::unique_ptr<Engine> make_encoder(std::shared_ptr<const PackedEncoder> packed,
                                     const EncoderOptions& options) {
  return std::make_unique<EncoderEngine>(std::move(packed), options);
}

std::unique_ptr<Engine> make_encoder(const EncoderWeights& weights, const EncoderOptions& options,
                                     const StopFlag& stop) {
  return make_encoder(pack_encoder(weights, options.dtype, options.threads, stop), options);
}

}  // namespace gteway
