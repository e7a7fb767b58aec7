// A model's parameters on its device, in one allocation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/cuda/abi.h"
#include "engine/cuda/device/failure.cuh"
#include "engine/cuda/device/number.cuh"
#include "engine/cuda/device/plan.hpp"

namespace gteway::cuda {

constexpr int32_t kTensors = kGtewayCudaOutputBeta + 1;

struct TensorForm {
  uint64_t elements;
  bool half;  // 16-bit
};

inline TensorForm tensor_form(const GtewayCudaConfig& c, int32_t tensor) {
  const uint64_t hidden = c.hidden, inner = c.intermediate;
  switch (tensor) {
    case kGtewayCudaWords:
      return {c.vocabulary * hidden, false};
    case kGtewayCudaPositions:
      return {c.positions * hidden, false};
    case kGtewayCudaQkv:
      return {3 * hidden * hidden, true};
    case kGtewayCudaQkvBias:
      return {3 * hidden, false};
    case kGtewayCudaAttentionOutput:
      return {hidden * hidden, true};
    case kGtewayCudaUp:
    case kGtewayCudaDown:
      return {hidden * inner, true};
    case kGtewayCudaUpBias:
      return {inner, false};
    default:
      return {hidden, false};
  }
}

inline bool of_layers(int32_t tensor) { return tensor >= kGtewayCudaQkv; }

class Parameters {
 public:
  explicit Parameters(const GtewayCudaConfig& config) : config_(config) {
    size_t bytes = 0;
    slots_.resize(size_t{kTensors} * config.layers);
    for (int32_t tensor = 0; tensor < kTensors; ++tensor)
      for (uint32_t layer = 0; layer < (of_layers(tensor) ? config.layers : 1); ++layer) {
        Slot& slot = at(tensor, layer);
        slot.form = tensor_form(config, tensor);
        slot.offset = bytes;
        slot.exists = true;
        bytes += align(slot.form.elements * (slot.form.half ? 2 : 4));
      }
    void* memory = nullptr;
    check(cudaMalloc(&memory, bytes),
          "allocating " + std::to_string(bytes >> 20) + " MiB for the model's weights",
          kGtewayCudaDeviceUnavailable);
    base_ = static_cast<unsigned char*>(memory);
  }
  ~Parameters() { cudaFree(base_); }
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  void set(int32_t tensor, uint32_t layer, uint64_t first, uint64_t count, const float* values) {
    if (tensor < 0 || tensor >= kTensors || layer >= config_.layers || !at(tensor, layer).exists)
      throw Failure(kGtewayCudaInvalid,
                    "no parameter " + std::to_string(tensor) + " in layer " + std::to_string(layer));
    Slot& slot = at(tensor, layer);
    if (first != slot.filled || count > slot.form.elements - first)
      throw Failure(kGtewayCudaInvalid, name(tensor, layer) + ": elements must come in order, " +
                                            std::to_string(slot.form.elements) + " of them");
    const void* source = values;
    const size_t width = slot.form.half ? 2 : 4;
    if (slot.form.half) {
      rounded_.resize(count);
      const bool bf16 = config_.type == kGtewayCudaBf16;
      for (uint64_t i = 0; i < count; ++i)
        rounded_[i] = bf16 ? round_to_bf16(values[i]) : round_to_fp16(values[i]);
      if (!bf16)
        for (uint64_t i = 0; i < count; ++i)
          if ((rounded_[i] & 0x7c00U) == 0x7c00U)
            throw Failure(kGtewayCudaUnsupported, name(tensor, layer) + ": element " +
                                                      std::to_string(first + i) +
                                                      " is beyond fp16's range: use bf16");
      source = rounded_.data();
    }
    check(cudaMemcpy(base_ + slot.offset + first * width, source, count * width, cudaMemcpyHostToDevice),
          "copying weights to the device", kGtewayCudaDeviceLost);
    slot.filled += count;
  }

  // Throws where a parameter was not given, or not all of it.
  void check_complete() {
    for (int32_t tensor = 0; tensor < kTensors; ++tensor)
      for (uint32_t layer = 0; layer < config_.layers; ++layer) {
        const Slot& slot = at(tensor, layer);
        if (slot.exists && slot.filled != slot.form.elements)
          throw Failure(kGtewayCudaInvalid, name(tensor, layer) + ": " + std::to_string(slot.filled) +
                                                " of " + std::to_string(slot.form.elements) +
                                                " elements were given");
      }
    rounded_ = {};
  }

  const float* floats(int32_t tensor, uint32_t layer = 0) const {
    return reinterpret_cast<const float*>(base_ + slots_[index(tensor, layer)].offset);
  }
  const uint16_t* halves(int32_t tensor, uint32_t layer) const {
    return reinterpret_cast<const uint16_t*>(base_ + slots_[index(tensor, layer)].offset);
  }

 private:
  struct Slot {
    TensorForm form = {};
    size_t offset = 0;
    uint64_t filled = 0;
    bool exists = false;
  };

  size_t index(int32_t tensor, uint32_t layer) const {
    return static_cast<size_t>(tensor) * config_.layers + layer;
  }
  Slot& at(int32_t tensor, uint32_t layer) { return slots_[index(tensor, layer)]; }
  static std::string name(int32_t tensor, uint32_t layer) {
    return "parameter " + std::to_string(tensor) + " of layer " + std::to_string(layer);
  }

  GtewayCudaConfig config_;
  std::vector<Slot> slots_;
  std::vector<uint16_t> rounded_;
  unsigned char* base_ = nullptr;
};

}  // namespace gteway::cuda
