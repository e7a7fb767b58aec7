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

class Pass {
 public:
  Pass(const PackedEncoder& encoder, const RaggedBatch& batch, Workspace& workspace, Member member,
       PhaseTimes* times)
      : encoder_(encoder),
        batch_(batch),
        at_(workspace),
        member_(member),
        times_(times),
        tokens_(batch.tokens()) {
    if (times_ != nullptr) last_ = times_->clock();
  }

  void embed() {
    const Member::Range mine = member_.share(tokens_);
    const size_t hidden = encoder_.config.hidden;
    for (size_t s = 0; s < batch_.size(); ++s) {
      const size_t begin = std::max<size_t>(mine.begin, batch_.offsets[s]);
      const size_t end = std::min<size_t>(mine.end, batch_.offsets[s + 1]);
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
    normalize(encoder_.embedding_norm,
              encoder_.layers.empty() ? Precision::kF32 : encoder_.layers[0].qkv.precision, mine);
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
    normalize(layer.attention_norm, layer.up.precision, member_.share(tokens_));
    finish(PhaseTimes::kNorm);

    const size_t step = member_.is_alone() ? kInnerRows : tokens_;
    for (size_t row = 0; row < tokens_; row += step) {
      const size_t rows = std::min(step, tokens_ - row);
      up(layer, row, rows);
      multiply(layer.down, {at_.inner.data, at_.inner.stride, at_.inner_quantization}, rows, residual(row));
      finish(PhaseTimes::kDown);
    }
    normalize(layer.output_norm, layer.qkv.precision, member_.share(tokens_));
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

  // This member's columns of `rows` rows.
  void multiply(const PackedLinear& layer, const Operand& operand, size_t rows, const Result& result) const {
    const Member::Range columns = member_.share(layer.shape.out, kernels::kPanelColumns);
    if (columns.begin < columns.end)
      layer.multiply(layer.shape, layer.data, operand, rows, columns.begin, columns.end - columns.begin,
                     result);
  }

  void normalize(const kernels::LayerNormalization& norm, Precision precision, Member::Range rows) const {
    const size_t hidden = encoder_.config.hidden, count = rows.end - rows.begin;
    float* const first = x(rows.begin);
    switch (precision) {
      case Precision::kF32:
        return encoder_.kernel.normalize_rows_f32(first, at_.x.stride, count, hidden, norm);
      case Precision::kBf16:
        return encoder_.kernel.normalize_rows_bf16(first, at_.x.stride, count, hidden, norm,
                                                   operand_of_x(rows.begin));
      case Precision::kInt8:
        return encoder_.kernel.normalize_rows_u8(first, at_.x.stride, count, hidden, norm, group(),
                                                 operand_of_x(rows.begin));
    }
  }

  // Heads are shared out one by one, sequence after sequence.
  void attend() const {
    const bool is_f32 = encoder_.attention_precision == Precision::kF32;
    const size_t heads = encoder_.config.heads, size = encoder_.config.head_size;
    const size_t head_bytes = size * element_bytes(encoder_.attention_precision), part = heads * head_bytes;
    const Member::Range mine = member_.share(batch_.size() * heads);
    for (size_t i = mine.begin; i < mine.end; ++i) {
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
      (is_f32 ? encoder_.kernel.attention_f32 : encoder_.kernel.attention_bf16)(head,
                                                                                at_.scratch(member_.index()));
    }
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
    const Member::Range mine = member_.share(rows);
    const kernels::LinearShape& shape = layer.down.shape;
    const size_t groups = (shape.in + shape.group - 1) / shape.group;
    encoder_.kernel.quantize_u8(
        reinterpret_cast<const float*>(at_.gelu.row(mine.begin)), at_.gelu.stride, mine.end - mine.begin,
        shape.in, shape.group,
        {at_.inner.row(mine.begin), at_.inner.stride, at_.inner_quantization + mine.begin * groups});
    finish(PhaseTimes::kQuantize);
  }

  // The next phase reads what others wrote in this one.
  void finish(PhaseTimes::Phase phase) {
    member_.wait_for_all();
    if (times_ == nullptr) return;
    const double now = times_->clock();
    times_->seconds[phase] += now - last_;
    last_ = now;
  }

  const PackedEncoder& encoder_;
  const RaggedBatch& batch_;
  Workspace& at_;
  Member member_;
  PhaseTimes* times_;
  const size_t tokens_;
  double last_ = 0;
};

}  // namespace

bool forward(const PackedEncoder& encoder, const RaggedBatch& batch, Workspace& workspace,
             const std::atomic<bool>& terminated, std::atomic<bool>& stop, Member member,
             PhaseTimes* times) noexcept {
  Pass pass(encoder, batch, workspace, member, times);
  pass.embed();
  for (const PackedLayer& layer : encoder.layers) {
    // One member looks, so that all leave together: `stop` is read a phase after it was written.
    if (stop.load(std::memory_order_relaxed)) return false;
    pass.run(layer);
    if (member.index() == 0 && terminated.load(std::memory_order_relaxed))
      stop.store(true, std::memory_order_relaxed);
    member.wait_for_all();
  }
  return !stop.load(std::memory_order_relaxed);
}

}  // namespace gteway
