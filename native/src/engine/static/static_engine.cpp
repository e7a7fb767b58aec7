#include "engine/static/static_engine.hpp"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "kernels/kernels.hpp"

namespace gteway {
namespace {

// A batch costs what handing it out costs: some hundred texts make that nothing.
constexpr size_t kBatchTokens = 4096;

class StaticEngine final : public Engine {
 public:
  StaticEngine(StaticTable table, size_t max_batch_tokens)
      : table_(std::move(table)),
        info_{.engine = "static", .device = "cpu", .dtype = "fp32", .dimensions = table_.dimensions},
        cost_{.padded = false, .max_batch_tokens = max_batch_tokens > 0 ? max_batch_tokens : kBatchTokens} {}

  const EngineInfo& info() const noexcept override { return info_; }
  const CostModel& cost() const noexcept override { return cost_; }

  void embed(const RaggedBatch& batch, Pooling pooling, bool normalize, size_t,
             std::span<float> out) override {
    if (terminated_) throw Error(ErrorCode::kAborted, "the session is closing");
    if (batch.size() == 0) return;
    require_rows(info_, pooling);
    if (pooling == Pooling::kCls)
      throw Error(ErrorCode::kModelUnsupported,
                  "a static model puts no token before a text that could stand for it: pooling is 'mean', or "
                  "'none' for the rows of its tokens");
    require_one_type(batch, info_);
    check(batch, pooling, out.size());

    // Signed and unsigned are the same bits here: check() has seen that none is negative.
    std::span<const uint32_t> rows(reinterpret_cast<const uint32_t*>(batch.ids.data()), batch.tokens());
    std::vector<uint32_t> mapped;
    if (!table_.row_of.empty()) {
      mapped.reserve(rows.size());
      for (const uint32_t id : rows) mapped.push_back(table_.row_of[id]);
      rows = mapped;
    }
    std::vector<float> scales;
    scales.reserve(table_.weights.empty() ? 0 : batch.tokens());
    if (!table_.weights.empty())
      for (const int32_t id : batch.ids) scales.push_back(table_.weights[static_cast<size_t>(id)]);

    float* to = out.data();
    const auto mean = [&](size_t first, size_t count) {
      put_mean(rows.subspan(first, count), scales.empty() ? nullptr : scales.data() + first, normalize, to);
      to += table_.dimensions;
    };
    if (pooling == Pooling::kNone) {
      for (size_t t = 0; t < batch.tokens(); ++t) mean(t, 1);
    } else {
      for (size_t i = 0; i < batch.size(); ++i) mean(batch.offsets[i], batch.length(i));
    }
  }

  void terminate() noexcept override { terminated_ = true; }

 private:
  void put_mean(std::span<const uint32_t> rows, const float* scales, bool normalize, float* to) const {
    const kernels::Table& kernel = kernels::active();
    if (rows.empty()) {
      std::fill_n(to, table_.dimensions, 0.0F);
      return;
    }
    kernel.pool_rows_f32(table_.data(), rows.data(), scales, rows.size(), table_.dimensions, to);
    if (normalize) kernel.l2_normalize_f32(to, table_.dimensions);
  }

  void check(const RaggedBatch& batch, Pooling pooling, size_t floats) const {
    if (batch.offsets.front() != 0 || batch.offsets.back() != batch.tokens() ||
        !std::is_sorted(batch.offsets.begin(), batch.offsets.end()))
      throw Error(ErrorCode::kInvalidArgument, "the batch's offsets do not cover its tokens");
    for (const int32_t id : batch.ids)
      if (id < 0 || static_cast<size_t>(id) >= table_.tokens())
        throw Error(ErrorCode::kModelInvalid, "the tokenizer has a token " + std::to_string(id) +
                                                  ", and the table of vectors ends at " +
                                                  std::to_string(table_.tokens()));
    const size_t wanted = (pooling == Pooling::kNone ? batch.tokens() : batch.size()) * table_.dimensions;
    if (floats < wanted)
      throw Error(ErrorCode::kInvalidArgument, "the output has room for " + std::to_string(floats) +
                                                   " numbers, and " + std::to_string(wanted) +
                                                   " are asked for");
  }

  const StaticTable table_;
  const EngineInfo info_;
  const CostModel cost_;
  std::atomic<bool> terminated_ = false;
};

}  // namespace

std::unique_ptr<Engine> make_static_engine(StaticTable table, size_t max_batch_tokens) {
  return std::make_unique<StaticEngine>(std::move(table), max_batch_tokens);
}

std::unique_ptr<Engine> load_static_engine(const EngineOptions& options) {
  if (options.device == Device::kCuda)
    throw Error(ErrorCode::kDeviceUnavailable, "static models are computed on the CPU");
  if (options.dtype != "fp32")
    throw Error(ErrorCode::kModelUnsupported, "static models are computed in fp32, not in " + options.dtype);
  return make_static_engine(read_static_table(options.model_path, options.stop), options.max_batch_tokens);
}

}  // namespace gteway
