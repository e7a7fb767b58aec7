#include "engine/encoder/exactness.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <unordered_map>

#include "cpu/topology.hpp"
#include "engine/encoder/crew.hpp"
#include "engine/encoder/forward.hpp"
#include "engine/encoder/packed_encoder.hpp"
#include "engine/encoder/workspace.hpp"
#include "kernels/kernels.hpp"

namespace gteway {
namespace {

// An encoder with the words and the positions of one batch alone, and any of its layers.
class Reduced {
 public:
  Reduced(const EncoderWeights& weights, const RaggedBatch& batch) : weights_(weights), part_(weights) {
    part_.head.reset();
    const size_t hidden = weights.config.hidden;
    // Rows up to the padding's, which positions are counted by, keep their places.
    const size_t kept = weights.config.padding_id ? static_cast<size_t>(*weights.config.padding_id) + 1 : 0;
    std::vector<size_t> words(kept);
    for (size_t i = 0; i < kept; ++i) words[i] = i;
    std::unordered_map<int32_t, int32_t> places;
    for (const int32_t id : batch.ids) {
      if (static_cast<size_t>(id) < kept) {
        ids_.push_back(id);
        continue;
      }
      const auto [place, is_new] = places.emplace(id, static_cast<int32_t>(words.size()));
      if (is_new) words.push_back(static_cast<size_t>(id));
      ids_.push_back(place->second);
    }
    rows_.resize(words.size() * hidden);
    for (size_t i = 0; i < words.size(); ++i)
      weights.words.read(words[i] * hidden, hidden, rows_.data() + i * hidden);
    part_.words = {reinterpret_cast<const std::byte*>(rows_.data()), ElementType::kF32, rows_.size()};
    part_.config.vocabulary = words.size();
    for (size_t i = 0; i < batch.size(); ++i) longest_ = std::max(longest_, batch.length(i));
    part_.config.positions = longest_;
  }
  Reduced(const Reduced&) = delete;
  Reduced& operator=(const Reduced&) = delete;

  const EncoderWeights& layers(size_t first, size_t count) {
    const auto begin = static_cast<ptrdiff_t>(first), end = static_cast<ptrdiff_t>(first + count);
    part_.layers.assign(weights_.layers.begin() + begin, weights_.layers.begin() + end);
    const std::vector<LayerAttention>& attention = weights_.config.attention;
    if (!attention.empty()) part_.config.attention.assign(attention.begin() + begin, attention.begin() + end);
    part_.config.layers = count;
    return part_;
  }
  std::span<const int32_t> ids() const { return ids_; }
  size_t longest() const { return longest_; }

 private:
  const EncoderWeights& weights_;
  EncoderWeights part_;
  std::vector<int32_t> ids_;
  std::vector<float> rows_;
  size_t longest_ = 0;
};

// Sequences end to end.
struct Texts {
  void add(std::span<const int32_t> text) {
    ids.insert(ids.end(), text.begin(), text.end());
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  RaggedBatch batch() const { return {ids, offsets}; }
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets = {0};
};

Texts texts_of(const ProbeTexts& probes, const EncoderConfig& config) {
  Texts texts;
  for (const std::vector<int32_t>& ids : probes.ids) {
    const bool is_known = std::all_of(ids.begin(), ids.end(), [&](int32_t id) {
      return id >= 0 && static_cast<size_t>(id) < config.vocabulary;
    });
    if (is_known && !ids.empty()) texts.add(std::span(ids).first(std::min(ids.size(), config.positions)));
  }
  if (texts.batch().size() > 0) return texts;

  // Steps that share no factor with most vocabularies.
  constexpr size_t kLengths[] = {3, 7, 20, 50}, kStep = 7919;
  size_t at = 0;
  for (const size_t length : kLengths) {
    std::vector<int32_t> ids(std::min(length, config.positions));
    for (int32_t& id : ids) id = static_cast<int32_t>((at += kStep) % config.vocabulary);
    texts.add(ids);
  }
  return texts;
}

}  // namespace

std::vector<float> vectors_in_float32(const EncoderWeights& weights, const RaggedBatch& batch,
                                      Pooling pooling, size_t threads, const StopFlag& stop, size_t bytes) {
  const EncoderConfig& config = weights.config;
  Reduced reduced(weights, batch);
  const RaggedBatch renumbered{reduced.ids(), batch.offsets};
  const size_t of_layer =
      (4 * config.hidden + (config.gated ? 3 : 2) * config.intermediate) * config.hidden * sizeof(float);
  const size_t together = std::max<size_t>(bytes / of_layer, 1), all = weights.layers.size();

  Workspace workspace;
  // More than can run would hold each other up.
  const size_t sharers = std::min(threads, cpu::default_core_count());
  Crew crew(sharers - 1);
  std::atomic<bool> terminated = false;
  const StopFlag::Callback end_pass(stop, [&terminated] { terminated = true; });
  for (size_t first = 0; first == 0 || first < all; first += together) {
    const PackedEncoder packed(reduced.layers(first, std::min(together, all - first)), "fp32", threads, stop);
    workspace.reserve(packed, batch.tokens(), reduced.longest(), crew.workers());
    crew.begin_shift(sharers);
    forward(packed, renumbered, workspace, sharers > 1 ? &crew : nullptr, terminated, nullptr,
            {.embeds = first == 0, .ends = first + together >= all});
    crew.end_shift();
    stop.throw_if_stopped();
  }

  std::vector<float> vectors(batch.size() * config.hidden);
  for (size_t i = 0; i < batch.size(); ++i) {
    const float* const rows = reinterpret_cast<const float*>(workspace.x.row(batch.offsets[i]));
    float* const to = vectors.data() + i * config.hidden;
    if (pooling == Pooling::kMean)
      kernels::active().pool_mean_f32(rows, batch.length(i), workspace.x.stride / sizeof(float),
                                      config.hidden, to);
    else
      std::copy_n(rows, config.hidden, to);
  }
  return vectors;
}

double least_cosine_to_float32(Engine& engine, const EncoderWeights& weights, const ProbeTexts& probes,
                               size_t threads, const StopFlag& stop) {
  const Texts texts = texts_of(probes, weights.config);
  const RaggedBatch batch = texts.batch();
  const bool is_mean = weights.head ? weights.head->mean : probes.pooling == Pooling::kMean;
  const Pooling pooling = is_mean ? Pooling::kMean : Pooling::kCls;
  const std::vector<float> expected = vectors_in_float32(weights, batch, pooling, threads, stop);
  std::vector<float> got(expected.size());
  engine.embed(batch, pooling, false, threads, got);

  double least = 1;
  const size_t hidden = weights.config.hidden;
  for (size_t i = 0; i < batch.size(); ++i) {
    double dot = 0, square = 0, expected_square = 0;
    for (size_t d = i * hidden; d < (i + 1) * hidden; ++d) {
      const double a = got[d], b = expected[d];
      dot += a * b;
      square += a * a;
      expected_square += b * b;
    }
    const double cosine = dot / std::sqrt(square * expected_square);
    least = cosine < least ? cosine : cosine == cosine ? least : -1;
  }
  return least;
}

}  // namespace gteway
