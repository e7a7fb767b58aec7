#include "engine/encoder/forward.hpp"

#include <algorithm>
#include <cstring>

#include "engine/encoder/sharing.hpp"
#include "kernels/encoder_layout.hpp"
#include "kernels/kernels.hpp"

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
constexpr size_t kPartsPerThread = 2;

kernels::Activation activation_of(Activation activation) {
  switch (activation) {
    case Activation::kGeluErf:
      return kernels::Activation::kGeluErf;
    case Activation::kGeluTanh:
      return kernels::Activation::kGeluTanh;
    case Activation::kSilu:
      return kernels::Activation::kSilu;
    case Activation::kRelu:
      return kernels::Activation::kRelu;
    case Activation::kTanh:
      break;  // of heads alone
  }
  return kernels::Activation::kNone;
}

// Which rows of the position table a sequence's tokens have, from one of its tokens on: runs of rows that
// follow each other.
class Places {
 public:
  struct Run {
    size_t tokens;
    size_t row;  // of the first of them
  };

  Places(const PackedEncoder& encoder, const RaggedBatch& batch, size_t sequence, size_t from)
      : encoder_(encoder),
        ids_(batch.ids.data()),
        types_(encoder.types > 1 && !batch.types.empty() ? batch.types.data() : nullptr),
        counted_(from - batch.offsets[sequence]) {
    if (const auto padding = encoder.config.padding_id)
      counted_ -= static_cast<size_t>(std::count(ids_ + batch.offsets[sequence], ids_ + from, *padding));
  }

  Run next(size_t token, size_t end) {
    size_t table = 0;
    if (types_ != nullptr) {
      table = static_cast<size_t>(types_[token]) * encoder_.position_rows;
      size_t alike = token + 1;
      while (alike < end && types_[alike] == types_[token]) ++alike;
      end = alike;
    }
    if (!encoder_.config.has_positions) return {1, table};
    Run run{end - token, table + counted_};
    if (const auto padding = encoder_.config.padding_id) {
      const auto row = table + static_cast<size_t>(*padding);
      if (ids_[token] == *padding) return {1, row};
      run = {static_cast<size_t>(std::find(ids_ + token, ids_ + end, *padding) - ids_) - token,
             row + 1 + counted_};
    }
    counted_ += run.tokens;
    return run;
  }

 private:
  const PackedEncoder& encoder_;
  const int32_t* ids_;
  const int32_t* types_;  // null: all of type 0
  size_t counted_;        // tokens before that are no padding
};

class Pass {
 public:
  Pass(const PackedEncoder& encoder, const RaggedBatch& batch, Workspace& workspace, Crew* crew,
       PhaseTimes* times)
      : encoder_(encoder),
        batch_(batch),
        at_(workspace),
        crew_(crew),
        times_(times),
        tokens_(batch.tokens()),
        operand_(workspace.x) {
    if (times_ != nullptr) last_ = times_->clock();
  }

  void embed() {
    const PackedLayer* const first = encoder_.layers.empty() ? nullptr : &encoder_.layers[0];
    // The first operand is the embeddings' norm itself, where no other norm comes between.
    const bool is_operand = first != nullptr && (!is_pre() || first->attention_norm.gamma == nullptr);
    const Precision operand = is_operand ? first->qkv.precision : Precision::kF32;
    share(tokens_, kRowsPiece, [&](size_t begin, size_t end, size_t) {
      embed_rows(begin, end);
      normalize_rows(at_.x, encoder_.embedding_norm, operand, begin, end);
    });
    operand_ = operand == Precision::kF32 ? at_.x : at_.operand;
    finish(PhaseTimes::kEmbedding);
  }

  void run(const PackedLayer& layer) {
    if (is_pre() && layer.attention_norm.gamma != nullptr)
      normalize(layer.attention_norm, layer.qkv.precision);
    const Precision attention = encoder_.attention_precision;
    multiply(
        layer.qkv, operand_of_x(0), tokens_,
        {at_.qkv.data, at_.qkv.stride, attention == Precision::kF32 ? ResultKind::kF32 : ResultKind::kBf16,
         kernels::Activation::kNone});
    finish(PhaseTimes::kQkv);
    if (layer.turns != nullptr) turn(layer.turns);
    attend(layer.reach);
    finish(PhaseTimes::kAttention);
    multiply(layer.attention_output, {at_.context.data, at_.context.stride, nullptr}, tokens_, residual(0));
    finish(PhaseTimes::kAttentionOutput);
    normalize(is_pre() ? layer.output_norm : layer.attention_norm, layer.up.precision);

    const size_t step = crew_ == nullptr ? kInnerRows : tokens_;
    for (size_t row = 0; row < tokens_; row += step) {
      const size_t rows = std::min(step, tokens_ - row);
      up(layer, row, rows);
      multiply(layer.down, {at_.inner.data, at_.inner.stride, at_.inner_quantization}, rows, residual(row));
      finish(PhaseTimes::kDown);
    }
    if (!is_pre()) normalize(layer.output_norm, layer.qkv.precision);
  }

  void end() {
    if (!is_pre()) return;
    share(tokens_, kRowsPiece, [&](size_t begin, size_t end, size_t) {
      normalize_rows(at_.x, encoder_.final_norm, Precision::kF32, begin, end);
    });
    finish(PhaseTimes::kNorm);
  }

 private:
  bool is_pre() const { return encoder_.config.norm_place == NormPlace::kPre; }

  float* x(size_t row) const { return reinterpret_cast<float*>(at_.x.row(row)); }

  // What the next product reads, and where what is normalised goes.
  Operand operand_of_x(size_t row) const { return operand_in(operand_, row); }
  Operand operand_at(size_t row) const { return operand_in(at_.operand, row); }
  Operand operand_in(const Rows& rows, size_t row) const {
    const size_t groups = (encoder_.config.hidden + group() - 1) / group();
    return {rows.row(row), rows.stride,
            at_.operand_quantization == nullptr ? nullptr : at_.operand_quantization + row * groups};
  }
  size_t group() const { return std::max<size_t>(encoder_.layers[0].qkv.shape.group, 1); }

  Result residual(size_t row) const {
    return {at_.x.row(row), at_.x.stride, ResultKind::kAddF32, kernels::Activation::kNone};
  }

  // Calls task(begin, end, worker) for parts of [0, total) that begin at multiples of `unit`: the whole where
  // there is no crew, else a few parts for each thread, so that none waits long for another.
  template <class Task>
  void share(size_t total, size_t unit, const Task& task) const {
    if (crew_ == nullptr) return task(0, total, 0);
    const size_t units = (total + unit - 1) / unit,
                 parts = std::min(units, kPartsPerThread * crew_->threads());
    crew_->share(parts, [&](size_t part, size_t worker) {
      task(units * part / parts * unit, std::min(units * (part + 1) / parts * unit, total), worker);
    });
  }

  void multiply(const PackedLinear& layer, const Operand& operand, size_t rows, const Result& result) const {
    const size_t columns = layer.shape.out, cuts = row_cuts(rows, columns / kernels::kPanelColumns);
    if (cuts == 1)
      return share(columns, kernels::kPanelColumns, [&](size_t first, size_t end, size_t) {
        layer.multiply(layer.shape, layer.data, operand, rows, first, end - first, result);
      });
    // All rows of a panel before the next: who has several parts reads as few weights as can be.
    share(columns / kernels::kPanelColumns * cuts, 1, [&](size_t begin, size_t end, size_t) {
      for (size_t part = begin; part < end; ++part) {
        const size_t panel = part / cuts, cut = part % cuts, row = rows * cut / cuts;
        layer.multiply(layer.shape, layer.data, from_row(operand, layer.shape, row),
                       rows * (cut + 1) / cuts - row, panel * kernels::kPanelColumns, kernels::kPanelColumns,
                       {static_cast<std::byte*>(result.data) + row * result.stride, result.stride,
                        result.kind, result.activation});
      }
    });
  }

  // Into how many parts the rows of a product are cut, where its panels are too few for the threads.
  size_t row_cuts(size_t rows, size_t panels) const {
    if (crew_ == nullptr || rows < kLeastRowsCut) return 1;
    const size_t parts = kPartsPerThread * crew_->threads();
    return std::clamp<size_t>((parts + panels - 1) / panels, 1, rows / (kLeastRowsCut / 2));
  }

  static Operand from_row(const Operand& operand, const kernels::LinearShape& shape, size_t row) {
    Operand rest = operand;
    rest.data = static_cast<std::byte*>(operand.data) + row * operand.stride;
    if (operand.quantization != nullptr) rest.quantization += row * kernels::groups_of(shape.in, shape.group);
    return rest;
  }

  void embed_rows(size_t first, size_t last) const {
    const size_t hidden = encoder_.config.hidden;
    for (size_t s = 0; s < batch_.size(); ++s) {
      const size_t begin = std::max<size_t>(first, batch_.offsets[s]);
      const size_t end = std::min<size_t>(last, batch_.offsets[s + 1]);
      if (begin >= end) continue;
      Places places(encoder_, batch_, s, begin);
      for (size_t token = begin; token < end;) {
        const Places::Run run = places.next(token, end);
        embed_run(token, run.tokens, encoder_.positions + run.row * hidden);
        token += run.tokens;
      }
    }
  }

  // Tokens from `first` on, whose rows of the position table follow each other from `positions`.
  void embed_run(size_t first, size_t tokens, const float* positions) const {
    const int32_t* const ids = batch_.ids.data() + first;
    const size_t hidden = encoder_.config.hidden;
    if (encoder_.words_precision == Precision::kF32)
      encoder_.kernel.embed_f32(ids, tokens, reinterpret_cast<const float*>(encoder_.words), positions,
                                hidden, x(first), at_.x.stride);
    else
      encoder_.kernel.embed_bf16(ids, tokens, reinterpret_cast<const uint16_t*>(encoder_.words), positions,
                                 hidden, x(first), at_.x.stride);
  }

  // x, normalised, becomes the next operand; with norms before their blocks x itself stays.
  void normalize(const kernels::LayerNormalization& norm, Precision precision) {
    const size_t bytes = encoder_.config.hidden * sizeof(float);
    share(tokens_, kRowsPiece, [&](size_t first, size_t end, size_t) {
      for (size_t row = first; is_pre() && row < end; ++row)
        std::memcpy(at_.normed.row(row), at_.x.row(row), bytes);
      normalize_rows(at_.normed, norm, precision, first, end);
    });
    operand_ = at_.operand;
    finish(PhaseTimes::kNorm);
  }

  void normalize_rows(const Rows& rows, const kernels::LayerNormalization& norm, Precision precision,
                      size_t row, size_t end) const {
    const size_t hidden = encoder_.config.hidden, count = end - row;
    float* const first = reinterpret_cast<float*>(rows.row(row));
    switch (precision) {
      case Precision::kF32:
        return encoder_.kernel.normalize_rows_f32(first, rows.stride, count, hidden, norm);
      case Precision::kBf16:
        return encoder_.kernel.normalize_rows_bf16(first, rows.stride, count, hidden, norm, operand_at(row));
      case Precision::kInt8:
        return encoder_.kernel.normalize_rows_u8(first, rows.stride, count, hidden, norm, group(),
                                                 operand_at(row));
    }
  }

  // Queries and keys by their positions.
  void turn(const float* turns) const {
    const size_t heads = 2 * encoder_.config.heads, size = encoder_.config.head_size;
    share(tokens_, kRowsPiece, [&](size_t first, size_t last, size_t) {
      for (size_t s = 0; s < batch_.size(); ++s) {
        const size_t begin = std::max<size_t>(first, batch_.offsets[s]);
        const size_t end = std::min<size_t>(last, batch_.offsets[s + 1]);
        if (begin >= end) continue;
        const float* const angles = turns + (begin - batch_.offsets[s]) * size;
        std::byte* const row = at_.qkv.row(begin);
        if (encoder_.attention_precision == Precision::kF32)
          encoder_.kernel.turn_heads_f32(reinterpret_cast<float*>(row), at_.qkv.stride, end - begin, heads,
                                         size, angles);
        else
          encoder_.kernel.turn_heads_bf16(reinterpret_cast<uint16_t*>(row), at_.qkv.stride, end - begin,
                                          heads, size, angles);
      }
    });
  }

  // Head after head, sequence after sequence.
  void attend(size_t reach) const {
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
                                          .out_stride = at_.context.stride,
                                          .bias = encoder_.bias_of(i % heads),
                                          .reach = reach};
        (is_f32 ? encoder_.kernel.attention_f32 : encoder_.kernel.attention_bf16)(head, at_.scratch(worker));
      }
    });
  }

  // The inner rows of the network for `rows` rows from `row`, as the operand of the next product, at the
  // beginning of `inner`.
  void up(const PackedLayer& layer, size_t row, size_t rows) {
    const kernels::Activation activation = activation_of(encoder_.config.activation);
    const Precision precision = layer.up.precision;
    const Operand operand = operand_of_x(row);
    if (encoder_.config.gated) {
      const auto into = [&](ResultKind kind, kernels::Activation how) {
        return Result{at_.gelu.data, at_.gelu.stride, kind, how};
      };
      multiply(layer.gate, operand, rows, into(ResultKind::kF32, activation));
      multiply(layer.up, operand, rows, into(ResultKind::kTimesF32, kernels::Activation::kNone));
    } else if (precision == Precision::kBf16) {
      multiply(layer.up, operand, rows, {at_.inner.data, at_.inner.stride, ResultKind::kBf16, activation});
    } else {
      multiply(layer.up, operand, rows, {at_.gelu.data, at_.gelu.stride, ResultKind::kF32, activation});
    }
    finish(PhaseTimes::kUp);
    if (precision == Precision::kInt8) quantize(layer, rows);
    if (precision == Precision::kBf16 && encoder_.config.gated) round(rows);
  }

  void round(size_t rows) {
    share(rows, kRowsPiece, [&](size_t first, size_t end, size_t) {
      for (size_t row = first; row < end; ++row)
        round_to_bf16_(reinterpret_cast<const float*>(at_.gelu.row(row)), encoder_.config.intermediate,
                       reinterpret_cast<uint16_t*>(at_.inner.row(row)));
    });
    finish(PhaseTimes::kQuantize);
  }

  void quantize(const PackedLayer& layer, size_t rows) {
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
  decltype(kernels::Table::f32_to_bf16) round_to_bf16_ = kernels::active().f32_to_bf16;
  Rows operand_;  // of the next product
  double last_ = 0;
};

}  // namespace

bool forward(const PackedEncoder& encoder, const RaggedBatch& batch, Workspace& workspace, Crew* crew,
             const std::atomic<bool>& terminated, PhaseTimes* times, const Stretch& stretch) noexcept {
  Pass pass(encoder, batch, workspace, crew, times);
  if (stretch.embeds) pass.embed();
  for (const PackedLayer& layer : encoder.layers) {
    if (terminated.load(std::memory_order_relaxed)) return false;
    pass.run(layer);
  }
  if (stretch.ends) pass.end();
  return true;
}

}  // namespace gteway
