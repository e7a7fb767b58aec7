// A model on a device: its parameters, and the lanes that batches take through it.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/cuda/device/lane.cuh"

namespace gteway::cuda {

// Enough that every product fills the device many times over, and little enough that what a layer hands to
// the next has a chance to stay in a large second-level cache.
constexpr uint32_t kDefaultBatchTokens = 32768;
constexpr uint32_t kDefaultLanes = 2;
constexpr int kOldestDevice = 8;  // compute capability 8.0 has the instructions of tensor_core.cuh

class Model {
 public:
  explicit Model(const GtewayCudaConfig& config) : config_(config), kernels_(kernels_for(config)) {
    if (config.layers == 0 || config.vocabulary == 0 || config.positions == 0)
      throw Failure(kGtewayCudaInvalid, "a model needs layers, a vocabulary and positions");
    use_device();
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, config.device), "asking for the device's properties",
          kGtewayCudaDeviceUnavailable);
    name_ = "GPU " + std::to_string(config.device) + " (" + properties.name + ")";
    if (properties.major < kOldestDevice)
      throw Failure(kGtewayCudaDeviceUnavailable,
                    name_ + " has compute capability " + std::to_string(properties.major) + "." +
                        std::to_string(properties.minor) + "; 8.0 or later is needed");
    processors_ = static_cast<uint32_t>(properties.multiProcessorCount);
    allow_shared_memory(kernels_);
    parameters_ = std::make_unique<Parameters>(config_);
  }

  ~Model() {
    cudaSetDevice(config_.device);
    lanes_.clear();
    parameters_.reset();
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  void set(int32_t tensor, uint32_t layer, uint64_t first, uint64_t count, const float* values) {
    if (!lanes_.empty()) throw Failure(kGtewayCudaInvalid, "parameters cannot change after finish()");
    use_device();
    parameters_->set(tensor, layer, first, count, values);
  }

  uint32_t finish() {
    if (!lanes_.empty()) throw Failure(kGtewayCudaInvalid, "finish() was called before");
    use_device();
    parameters_->check_complete();
    // A copy from pageable memory may return while the last of it is on its way, and lanes' streams do not
    // wait for it.
    check(cudaDeviceSynchronize(), "copying weights to the device", kGtewayCudaDeviceLost);
    const uint32_t lanes = config_.lanes == 0 ? kDefaultLanes : config_.lanes;
    const uint32_t wanted = config_.max_batch_tokens == 0 ? kDefaultBatchTokens : config_.max_batch_tokens;
    for (max_tokens_ = std::max(wanted, config_.positions);;
         max_tokens_ = std::max(max_tokens_ / 2, config_.positions)) {
      try {
        while (lanes_.size() < lanes)
          lanes_.push_back(std::make_unique<Lane>(config_, kernels_, *parameters_, processors_, max_tokens_));
        break;
      } catch (const Failure& failure) {
        lanes_.clear();
        if (failure.code != kGtewayCudaOutOfMemory || max_tokens_ == config_.positions)
          throw Failure(failure.code, name_ + ": " + failure.what());
      }
    }
    for (const auto& lane : lanes_) free_.push_back(lane.get());
    return max_tokens_;
  }

  void embed(const GtewayCudaBatch& batch, Probe* probe = nullptr) {
    check_batch(batch);
    if (batch.sequences == 0) return;
    const size_t most_rows = pinned_rows(config_);
    const bool every_token = batch.pooling == kGtewayCudaNone;
    const std::span<const uint32_t> offsets(batch.offsets, size_t{batch.sequences} + 1);
    const Taken lane(*this);
    use_device();
    for (size_t first = 0; first < batch.sequences;) {
      if (terminated_) throw Failure(kGtewayCudaAborted, "the session was closed");
      const size_t most_tokens = every_token ? std::min<size_t>(max_tokens_, most_rows) : max_tokens_;
      const BatchPart part = next_part(offsets, first, most_tokens, most_rows);
      const size_t row = every_token ? offsets[first] : first;
      try {
        lane.get().embed(batch, part, batch.out + row * config_.hidden, probe);
      } catch (const Failure& failure) {
        if (failure.code == kGtewayCudaOutOfMemory)
          throw Failure(failure.code, name_ + ": " + failure.what());
        const std::lock_guard lock(mutex_);
        if (lost_.empty())
          lost_ = name_ + " failed while " + failure.what() + "; the session can only be closed";
        throw Failure(kGtewayCudaDeviceLost, lost_);
      }
      first = part.last;
    }
  }

  void terminate() noexcept { terminated_ = true; }
  const GtewayCudaConfig& config() const noexcept { return config_; }

 private:
  // A lane, for as long as this lives.
  class Taken {
   public:
    explicit Taken(Model& model) : model_(model) {
      std::unique_lock lock(model.mutex_);
      model.available_.wait(lock, [&] { return !model.free_.empty(); });
      if (!model.lost_.empty()) throw Failure(kGtewayCudaDeviceLost, model.lost_);
      lane_ = model.free_.back();
      model.free_.pop_back();
    }
    ~Taken() {
      {
        const std::lock_guard lock(model_.mutex_);
        model_.free_.push_back(lane_);
      }
      model_.available_.notify_one();
    }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    Lane& get() const { return *lane_; }

   private:
    Model& model_;
    Lane* lane_ = nullptr;
  };

  void use_device() const {
    check(cudaSetDevice(config_.device), "using GPU " + std::to_string(config_.device),
          kGtewayCudaDeviceUnavailable);
  }

  void check_batch(const GtewayCudaBatch& batch) const {
    const auto invalid = [](const std::string& what) { throw Failure(kGtewayCudaInvalid, what); };
    if (lanes_.empty()) invalid("finish() was not called");
    if (batch.pooling < kGtewayCudaMean || batch.pooling > kGtewayCudaNone)
      invalid("pooling " + std::to_string(batch.pooling));
    if (batch.layers > config_.layers)
      invalid(std::to_string(batch.layers) + " layers of " + std::to_string(config_.layers));
    if (batch.sequences == 0) return;
    if (batch.offsets[0] != 0) invalid("offsets begin at " + std::to_string(batch.offsets[0]));
    for (uint32_t i = 0; i < batch.sequences; ++i) {
      if (batch.offsets[i + 1] <= batch.offsets[i])
        invalid("sequence " + std::to_string(i) + " has no tokens");
      const uint32_t length = batch.offsets[i + 1] - batch.offsets[i];
      if (length > config_.positions)
        invalid("sequence " + std::to_string(i) + " has " + std::to_string(length) + " tokens of at most " +
                std::to_string(config_.positions));
    }
    for (uint32_t t = 0; t < batch.offsets[batch.sequences]; ++t)
      if (batch.ids[t] < 0 || static_cast<uint32_t>(batch.ids[t]) >= config_.vocabulary)
        invalid("token " + std::to_string(t) + " has id " + std::to_string(batch.ids[t]) +
                "; the vocabulary has " + std::to_string(config_.vocabulary));
  }

  const GtewayCudaConfig config_;
  const KernelTable kernels_;
  std::string name_;
  uint32_t processors_ = 0;
  uint32_t max_tokens_ = 0;
  std::unique_ptr<Parameters> parameters_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::mutex mutex_;  // of what follows
  std::condition_variable available_;
  std::vector<Lane*> free_;
  std::string lost_;  // why, once the device is lost
  std::atomic<bool> terminated_ = false;
};

}  // namespace gteway::cuda
