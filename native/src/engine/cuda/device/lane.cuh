// One batch at a time on its way through a device: a stream, pinned memory to copy from and to, and working
// memory, all allocated once. Two lanes side by side keep a device busy: one's copies and small kernels run
// beside the other's products.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "engine/cuda/device/forward.cuh"

namespace gteway::cuda {

// Owns what the runtime gave, and gives it back however construction ended.
template <class Handle, cudaError_t (*kRelease)(Handle)>
class Owned {
 public:
  Owned() = default;
  ~Owned() {
    if (handle_ != nullptr) kRelease(handle_);
  }
  Owned(Owned&& other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
  Owned& operator=(Owned&&) = delete;
  Handle get() const { return handle_; }
  Handle* receive() { return &handle_; }

 private:
  Handle handle_ = nullptr;
};
using OwnedStream = Owned<cudaStream_t, cudaStreamDestroy>;
using OwnedEvent = Owned<cudaEvent_t, cudaEventDestroy>;
using OwnedGraph = Owned<cudaGraph_t, cudaGraphDestroy>;
using OwnedGraphExec = Owned<cudaGraphExec_t, cudaGraphExecDestroy>;
using DeviceMemory = Owned<void*, cudaFree>;
using PinnedMemory = Owned<void*, cudaFreeHost>;

// Rows that come back in one copy: 16 MiB of pinned memory, or the longest text's.
inline size_t pinned_rows(const GtewayCudaConfig& config) {
  return std::max<size_t>((size_t{16} << 20) / (config.hidden * sizeof(float)), config.positions);
}

class Lane {
 public:
  Lane(const GtewayCudaConfig& config, const KernelTable& kernels, const Parameters& parameters,
       uint32_t processors, uint32_t tokens)
      : config_(config),
        kernels_(kernels),
        parameters_(parameters),
        processors_(processors),
        tokens_(tokens) {
    const auto allocated = [](cudaError_t error, const char* what) {
      check(error, what, kGtewayCudaDeviceUnavailable);
    };
    const size_t upload_bytes = UploadLayout::bound(tokens);
    const size_t workspace_bytes = WorkspaceLayout::of(tokens, config.hidden, config.intermediate).bytes;
    allocated(cudaMalloc(workspace_.receive(), workspace_bytes), "allocating working memory");
    allocated(cudaMalloc(upload_.receive(), upload_bytes), "allocating memory for ids");
    allocated(cudaHostAlloc(pinned_upload_.receive(), upload_bytes, cudaHostAllocDefault),
              "allocating pinned memory");
    allocated(cudaHostAlloc(pinned_out_.receive(), pinned_rows(config) * config.hidden * sizeof(float),
                            cudaHostAllocDefault),
              "allocating pinned memory");
    allocated(cudaStreamCreateWithFlags(stream_.receive(), cudaStreamNonBlocking), "creating a stream");
    allocated(cudaEventCreateWithFlags(done_.receive(), cudaEventBlockingSync | cudaEventDisableTiming),
              "creating an event");
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Sequences [part.first, part.last) of a batch that was checked; they fit. `out`: their rows.
  void embed(const GtewayCudaBatch& batch, BatchPart part, float* out, Probe* probe = nullptr) {
    const size_t sequences = part.last - part.first;
    const size_t tokens = batch.offsets[part.last] - batch.offsets[part.first];
    const Finish finish = {static_cast<GtewayCudaPooling>(batch.pooling), batch.normalize != 0};
    const uint32_t layers = batch.layers == 0 ? config_.layers : batch.layers;
    const size_t rows = finish.pooling == kGtewayCudaNone ? tokens : sequences;
    const bool lone =
        sequences == 1 && tokens <= kLargestGraph && layers == config_.layers && probe == nullptr;

    if (lone && run_graph(batch, part, finish)) {
      lost_unless(cudaStreamSynchronize(stream_.get()),
                  "waiting for a text");  // spins: it takes microseconds
    } else {
      const std::span<const uint32_t> offsets(batch.offsets + part.first, sequences + 1);
      const UploadLayout layout = UploadLayout::of(tokens, sequences, attention_item_bound(offsets));
      const BatchHeader header = fill_upload(batch, part, layout);
      enqueue(layout, static_cast<uint32_t>(tokens), static_cast<uint32_t>(sequences),
              attention_blocks(header, config_.heads), finish, layers, rows, probe);
      lost_unless(cudaEventRecord(done_.get(), stream_.get()), "recording an event");
      lost_unless(cudaEventSynchronize(done_.get()), "waiting for a batch");  // sleeps
    }
    std::memcpy(out, pinned_out_.get(), rows * config_.hidden * sizeof(float));
  }

 private:
  static void lost_unless(cudaError_t error, const char* what) { check(error, what, kGtewayCudaDeviceLost); }

  BatchHeader fill_upload(const GtewayCudaBatch& batch, BatchPart part, const UploadLayout& layout) {
    auto* base = static_cast<unsigned char*>(pinned_upload_.get());
    const uint32_t first = batch.offsets[part.first];
    const size_t sequences = part.last - part.first;
    BatchHeader header = {};
    header.tokens = batch.offsets[part.last] - first;
    header.sequences = static_cast<uint32_t>(sequences);
    auto* offsets = reinterpret_cast<uint32_t*>(base + layout.offsets);
    auto* positions = reinterpret_cast<uint32_t*>(base + layout.positions);
    for (size_t i = 0; i <= sequences; ++i) offsets[i] = batch.offsets[part.first + i] - first;
    for (size_t i = 0; i < sequences; ++i)
      for (uint32_t t = offsets[i]; t < offsets[i + 1]; ++t) positions[t] = t - offsets[i];
    std::memcpy(base + layout.ids, batch.ids + first, header.tokens * sizeof(int32_t));
    fill_attention_items({offsets, sequences + 1},
                         {reinterpret_cast<AttentionItem*>(base + layout.items),
                          (layout.bytes - layout.items) / sizeof(AttentionItem)},
                         header);
    std::memcpy(base, &header, sizeof header);
    return header;
  }

  void enqueue(const UploadLayout& layout, uint32_t most_tokens, uint32_t most_sequences, uint32_t blocks,
               Finish finish, uint32_t layers, size_t rows, Probe* probe) {
    auto* base = static_cast<unsigned char*>(upload_.get());
    lost_unless(
        cudaMemcpyAsync(base, pinned_upload_.get(), layout.bytes, cudaMemcpyHostToDevice, stream_.get()),
        "copying ids");
    const DeviceBatch batch = {reinterpret_cast<const BatchHeader*>(base),
                               reinterpret_cast<const uint32_t*>(base + layout.offsets),
                               reinterpret_cast<const int32_t*>(base + layout.ids),
                               reinterpret_cast<const uint32_t*>(base + layout.positions),
                               reinterpret_cast<const AttentionItem*>(base + layout.items),
                               most_tokens,
                               most_sequences,
                               blocks};
    Forward forward(config_, kernels_, parameters_, processors_,
                    static_cast<unsigned char*>(workspace_.get()), tokens_, stream_.get(), probe);
    const float* result = forward.run(batch, finish, layers);
    lost_unless(cudaMemcpyAsync(pinned_out_.get(), result, rows * config_.hidden * sizeof(float),
                                cudaMemcpyDeviceToHost, stream_.get()),
                "copying vectors");
  }

  // False where this driver cannot make graphs: kernels are then launched one by one.
  bool run_graph(const GtewayCudaBatch& batch, BatchPart part, Finish finish) {
    if (!graphs_work_) return false;
    const uint32_t length = batch.offsets[part.last] - batch.offsets[part.first];
    const uint32_t most = std::min(graph_tokens(graph_index(length)), tokens_);
    const uint32_t offsets[] = {0, most};
    const UploadLayout layout = UploadLayout::of(most, 1, attention_item_bound(offsets));
    OwnedGraphExec& graph =
        graphs_[graph_index(length)][static_cast<size_t>(finish.pooling)][finish.normalize ? 1 : 0];
    if (graph.get() == nullptr && !capture(graph, layout, most, finish)) {
      graphs_work_ = false;
      return false;
    }
    fill_upload(batch, part, layout);
    lost_unless(cudaGraphLaunch(graph.get(), stream_.get()), "starting a graph");
    return true;
  }

  bool capture(OwnedGraphExec& graph, const UploadLayout& layout, uint32_t most, Finish finish) {
    const uint32_t offsets[] = {0, most};
    BatchHeader header = {};
    std::array<AttentionItem, kLargestGraph / 64> items;
    fill_attention_items(offsets, items, header);
    const size_t rows = finish.pooling == kGtewayCudaNone ? most : 1;
    if (cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
      cudaGetLastError();
      return false;
    }
    OwnedGraph recorded;
    try {
      enqueue(layout, most, 1, attention_blocks(header, config_.heads), finish, config_.layers, rows,
              nullptr);
    } catch (const Failure&) {
      cudaStreamEndCapture(stream_.get(), recorded.receive());
      cudaGetLastError();
      return false;
    }
    const bool made = cudaStreamEndCapture(stream_.get(), recorded.receive()) == cudaSuccess &&
                      cudaGraphInstantiate(graph.receive(), recorded.get(), 0) == cudaSuccess;
    if (!made) cudaGetLastError();
    return made;
  }

  const GtewayCudaConfig& config_;
  const KernelTable& kernels_;
  const Parameters& parameters_;
  const uint32_t processors_;
  const uint32_t tokens_;
  DeviceMemory workspace_;
  DeviceMemory upload_;
  PinnedMemory pinned_upload_;
  PinnedMemory pinned_out_;
  OwnedStream stream_;
  OwnedEvent done_;
  bool graphs_work_ = true;
  OwnedGraphExec graphs_[kGraphs][3][2];  // by length, pooling, normalize; before the stream they run on goes
};

}  // namespace gteway::cuda
