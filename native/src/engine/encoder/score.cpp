#include "engine/encoder/score.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/aligned_buffer.hpp"
#include "kernels/encoder_layout.hpp"
#include "kernels/kernels.hpp"

namespace gteway {
namespace {

// A row or so per text.
double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::kGeluErf:
      return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kTanh:
      return std::tanh(x);
  }
  return x;
}

}  // namespace

void score(const PackedEncoder& encoder, const RaggedBatch& batch, const Rows& rows, float* out) {
  const PackedHead& head = *encoder.head;
  const size_t texts = batch.size(), hidden = encoder.config.hidden;
  const auto stride_of = [](size_t columns) { return kernels::round_up(columns * sizeof(float), 64) | 64; };
  const size_t narrow = stride_of(hidden), middle = stride_of(head.dense.shape.out),
               wide = stride_of(head.classifier.shape.out);
  AlignedBuffer memory(texts * (narrow + middle + wide));
  const Rows pooled{memory.data(), narrow}, dense{pooled.row(texts), middle}, logits{dense.row(texts), wide};

  for (size_t i = 0; i < texts; ++i) {
    const auto* const first = reinterpret_cast<const float*>(rows.row(batch.offsets[i]));
    auto* const to = reinterpret_cast<float*>(pooled.row(i));
    if (head.mean)
      kernels::active().pool_mean_f32(first, batch.length(i), rows.stride / sizeof(float), hidden, to);
    else
      std::copy_n(first, hidden, to);
  }
  const auto multiply = [&](const PackedLinear& layer, const Rows& from, const Rows& to) {
    layer.multiply(layer.shape, layer.data, {from.data, from.stride, nullptr}, texts, 0, layer.shape.out,
                   {to.data, to.stride, kernels::ResultKind::kF32, kernels::Activation::kNone});
  };
  multiply(head.dense, pooled, dense);
  for (size_t i = 0; i < texts; ++i) {
    auto* const row = reinterpret_cast<float*>(dense.row(i));
    for (size_t d = 0; d < head.dense.shape.out; ++d)
      row[d] = static_cast<float>(activate(static_cast<double>(row[d]), head.activation));
  }
  if (head.norm.gamma != nullptr)
    encoder.kernel.normalize_rows_f32(reinterpret_cast<float*>(dense.data), dense.stride, texts,
                                      head.dense.shape.out, head.norm);
  multiply(head.classifier, dense, logits);
  for (size_t i = 0; i < texts; ++i)
    std::copy_n(reinterpret_cast<const float*>(logits.row(i)), head.labels, out + i * head.labels);
}

}  // namespace gteway
