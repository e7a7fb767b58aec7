#include "engine/encoder/forward.hpp"

#include <algorithm>

namespace gteway {
namespace {

using kernels::Operand;
using kernels::Result;
using kernels::ResultKind;

// Rows that go through up and down together, where one thread has a batch to itself: their inner rows stay in
// the second-level cache. See native/src/kernels/README.md for what others cost.
constexpr size_t kInnerRows = 128;

// Rows that are normalised or quantised by one claim, at least: some hundred nanoseconds.
constexpr size_t kRowsPiece = 4;

// More parts even the shares out, fewer read the rows less often.
constexpr size_t kPartsPerWorker = 2;

class Pass {
 public:
  Pass(const PackedEncoder& encoder, const RaggedBatch& batch, Workspace& workspace, Crew* crew,
       PhaseTimes* times)
      : encoder_(encoder),
        batch_(batch),
        at_(workspace),
        crew_(crew),
        times_(times),
        tokens_(batch.tokens()) {
    if (times_ != nullptr) last_ = times_->clock();
  }

  void embed() {
    const Precision operand = encoder_.layers.empty() ? Precision::kF32 : encoder_.layers[0].qkv.precision;
    share(tokens_, kRowsPiece, [&](size_t first, size_t end, size_t) {
      embed_rows(first, end);
      normalize_rows(encoder_.embedding_norm, operand, first, end);
    });
    finish(PhaseTimes::kEmbedding);
  }

  void run(const PackedLayer& layer) {
    const Precision attention = encoder_.attention_precision;
    multiply(
        layer.qkv, operand_of_x(0), tokens_,
        {at_.qkv.data, at_.qkv.stride, attention == Precision::kF32 ? ResultKind::kF32 : ResultKind::kBf16,
         kernels::Activation::kNone});
    finish(PhaseTimes::kQkv);
    attend();
    finish(PhaseTimes::kAttention);
    multiply(layer.attention_output, {at_.context.data, at_.context.stride, nullptr}, tokens_, residual(0));
    finish(PhaseTimes::kAttentionOutput);
    normalize(layer.attention_norm, layer.up.precision);
    finish(PhaseTimes::kNorm);

    const size_t step = crew_ == nullptr ? kInnerRows : tokens_;
    for (size_t row = 0; row < tokens_; row += step) {
      const size_t rows = std::min(step, tokens_ - row);
      up(layer, row, rows);
      multiply(layer.down, {at_.inner.data, at_.inner.stride, at_.inner_quantization}, rows, residual(row));
      finish(PhaseTimes::kDown);
    }
    normalize(layer.output_norm, layer.qkv.precision);
    finish(PhaseTimes::kNorm);
  }

 private:
  float* x(size_t row) const { return reinterpret_cast<float*>(at_.x.row(row)); }

  Operand operand_of_x(size_t row) const {
    const size_t groups = (encoder_.config.hidden + group() - 1) / group();
    return {at_.operand.row(row), at_.operand.stride,
            at_.operand_quantization == nullptr ? nullptr : at_.operand_quantization + row * groups};
  }
  size_t group() const { return std::max<size_t>(encoder_.layers[0].qkv.shape.group, 1); }

  Result residual(size_t row) const {
    return {at_.x.row(row), at_.x.stride, ResultKind::kAddF32, kernels::Activation::kNone};
  }

  // Calls task(begin, end, worker) for parts of [0, total) that begin at multiples of `unit`: the whole where
  // there is no crew, else a few parts for each worker, so that none waits long for another.
  template <class Task>
  void share(size_t total, size_t unit, const Task& task) const {
    if (crew_ == nullptr) return task(0, total, 0);
    const size_t units = (total + unit - 1) / unit,
                 parts = std::min(units, kPartsPerWorker * crew_->workers());
    crew_->share(parts, [&](size_t part, size_t worker) {
      task(units * part / parts * unit, std::min(units * (part + 1) / parts * unit, total), worker);
    });
  }

  void multiply(const PackedLinear& layer, const Operand& operand, size_t rows, const Result& result) const {
    share(layer.shape.out, kernels::kPanelColumns, [&](size_t first, size_t end, size_t) {
      layer.multiply(layer.shape, layer.data, operand, rows, first, end - first, result);
    });
  }

  void embed_rows(size_t first, size_t last) const {
    const size_t hidden = encoder_.config.hidden;
    for (size_t s = 0; s < batch_.size(); ++s) {
      const size_t begin = std::max<size_t>(first, batch_.offsets[s]);
      const size_t end = std::min<size_t>(last, batch_.offsets[s + 1]);
      if (begin >= end) continue;
      const float* const positions = encoder_.positions + (begin - batch_.offsets[s]) * hidden;
      const int32_t* const ids = batch_.ids.data() + begin;
      if (encoder_.words_precision == Precision::kF32)
        encoder_.kernel.embed_f32(ids, end - begin, reinterpret_cast<const float*>(encoder_.words), positions,
                                  hidden, x(begin), at_.x.stride);
      else
        encoder_.kernel.embed_bf16(ids, end - begin, reinterpret_cast<const uint16_t*>(encoder_.words),
                                   positions, hidden, x(begin), at_.x.stride);
    }
  }

  void normalize(const kernels::LayerNormalization& norm, Precision precision) const {
    share(tokens_, kRowsPiece,
          [&](size_t first, size_t end, size_t) { normalize_rows(norm, precision, first, end); });
  }

  void normalize_rows(const kernels::LayerNormalization& norm, Precision precision, size_t row,
                      size_t end) const {
    const size_t hidden = encoder_.config.hidden, count = end - row;
    float* const first = x(row);
    switch (precision) {
      case Precision::kF32:
        return encoder_.kernel.normalize_rows_f32(first, at_.x.stride, count, hidden, norm);
      case Precision::kBf16:
        return encoder_.kernel.normalize_rows_bf16(first, at_.x.stride, count, hidden, norm,
                                                   operand_of_x(row));
      case Precision::kInt8:
        return encoder_.kernel.normalize_rows_u8(first, at_.x.stride, count, hidden, norm, group(),
                                                 operand_of_x(row));
    }
  }

  // Head after head, sequence after sequence.
  void attend() const {
    const bool is_f32 = encoder_.attention_precision == Precision::kF32;
    const size_t heads = encoder_.config.heads, size = encoder_.config.head_size;
    const size_t head_bytes = size * element_bytes(encoder_.attention_precision), part = heads * head_bytes;
    share(batch_.size() * heads, 1, [&](size_t begin, size_t end, size_t worker) {
      for (size_t i = begin; i < end; ++i) {
        const size_t sequence = i / heads, first = batch_.offsets[sequence], offset = i % heads * head_bytes;
        const std::byte* const q = at_.qkv.row(first) + offset;
        const kernels::AttentionHead head{.q = q,
                                          .k = q + part,
                                          .v = q + 2 * part,
                                          .stride = at_.qkv.stride,
                                          .tokens = batch_.length(sequence),
                                          .head_size = size,
                                          .out = at_.context.row(first) + offset,
                                          .out_stride = at_.context.stride};
        (is_f32 ? encoder_.kernel.attention_f32 : encoder_.kernel.attention_bf16)(head, at_.scratch(worker));
      }
    });
  }

  // gelu(x W + b) of `rows` rows from `row`, as the operand of the next product, at the beginning of `inner`.
  void up(const PackedLayer& layer, size_t row, size_t rows) {
    const kernels::Activation gelu = encoder_.config.activation == Activation::kGeluTanh
                                         ? kernels::Activation::kGeluTanh
                                         : kernels::Activation::kGeluErf;
    if (layer.up.precision != Precision::kInt8) {
      const ResultKind kind = layer.up.precision == Precision::kF32 ? ResultKind::kF32 : ResultKind::kBf16;
      multiply(layer.up, operand_of_x(row), rows, {at_.inner.data, at_.inner.stride, kind, gelu});
      return finish(PhaseTimes::kUp);
    }
    multiply(layer.up, operand_of_x(row), rows, {at_.gelu.data, at_.gelu.stride, ResultKind::kF32, gelu});
    finish(PhaseTimes::kUp);
    const kernels::LinearShape& shape = layer.down.shape;
    const size_t groups = (shape.in + shape.group - 1) / shape.group;
    share(rows, kRowsPiece, [&](size_t first, size_t end, size_t) {
      encoder_.kernel.quantize_u8(
          reinterpret_cast<const float*>(at_.gelu.row(first)), at_.gelu.stride, end - first, shape.in,
          shape.group, {at_.inner.row(first), at_.inner.stride, at_.inner_quantization + first * groups});
    });
    finish(PhaseTimes::kQuantize);
  }

  void finish(PhaseTimes::Phase phase) {
    if (times_ == nullptr) return;
    const double now = times_->clock();
    times_->seconds[phase] += now - last_;
    last_ = now;
  }

  const PackedEncoder& encoder_;
  const RaggedBatch& batch_;
  Workspace& at_;
  Crew* crew_;
  PhaseTimes* times_;
  const size_t tokens_;
  double last_ = 0;
};

}  // namespace

bool forward(const PackedEncoder& encoder, const RaggedBatch& batch, Workspace& workspace, Crew* crew,
             const std::atomic<bool>& terminated, PhaseTimes* times) noexcept {
  Pass pass(encoder, batch, workspace, crew, times);
  pass.embed();
  for (const PackedLayer& layer : encoder.layers) {
    if (terminated.load(std::memory_order_relaxed)) return false;
    pass.run(layer);
  }
  return true;
}

}  // namespace gteway
