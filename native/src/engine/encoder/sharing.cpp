#include "engine/encoder/sharing.hpp"

#include <algorithm>

#include "engine/encoder/packed_encoder.hpp"

namespace gteway {
namespace {

// Products, attention, what is between them: about so many times a layer all threads wait for each other.
constexpr size_t kJoins = 7;

// A product takes as long for one row as for so many: until then weights come more slowly than they are used.
constexpr size_t kRows = 16;

// Multiplications by the time that one of float32 takes, about.
size_t speed_of(Precision precision) {
  return precision == Precision::kF32 ? 1 : precision == Precision::kBf16 ? 2 : 4;
}

size_t multiplications_of(const PackedLinear& layer) { return layer.shape.in * layer.shape.out; }

}  // namespace

size_t threads_worth(const PackedEncoder& encoder, size_t tokens, size_t offered,
                     const Sharing& sharing) noexcept {
  const size_t most = std::max<size_t>(std::min(offered, sharing.processors), 1);
  if (most == 1 || encoder.layers.empty()) return 1;
  const PackedLayer& layer = encoder.layers.front();
  size_t weights = 0;
  for (const PackedLinear* part : {&layer.qkv, &layer.attention_output, &layer.up, &layer.down})
    weights += multiplications_of(*part);
  if (encoder.config.gated) weights += multiplications_of(layer.gate);
  const size_t work = std::max(tokens, kRows) * weights / kJoins;
  const size_t share = std::max<size_t>(sharing.least_share, 1) * speed_of(layer.qkv.precision);
  const size_t threads = std::clamp<size_t>(work / share, 1, most);
  // The narrowest products come in so few panels that some numbers of threads are no faster than fewer. Many
  // rows are cut, too.
  if (tokens >= kLeastRowsCut) return threads;
  const size_t panels = std::max<size_t>(layer.attention_output.shape.out / kernels::kPanelColumns, 1);
  if (threads >= panels) return threads / panels * panels;
  const size_t each = (panels + threads - 1) / threads;
  return (panels + each - 1) / each;
}

}  // namespace gteway
