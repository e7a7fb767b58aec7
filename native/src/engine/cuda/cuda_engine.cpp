#include "engine/cuda/cuda_engine.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "engine/encoder/reference.hpp"

namespace gteway::cuda {
namespace {

constexpr size_t kChunk = size_t{1} << 20;  // elements converted and copied at a time

class ModelHandle {
 public:
  ModelHandle(const GtewayCudaApi& api, const GtewayCudaConfig& config) : api_(api) {
    GtewayCudaStatus status = {};
    check(api.create(&config, &model_, &status), status);
  }
  ~ModelHandle() { api_.destroy(model_); }
  ModelHandle(const ModelHandle&) = delete;
  ModelHandle& operator=(const ModelHandle&) = delete;

  const GtewayCudaApi& api() const noexcept { return api_; }
  GtewayCudaModel* get() const noexcept { return model_; }

 private:
  const GtewayCudaApi& api_;
  GtewayCudaModel* model_ = nullptr;
};

// Gives the parameters to the library, each in order from its first element.
class Upload {
 public:
  Upload(const ModelHandle& model, const StopFlag& stop) : model_(model), stop_(stop) {}

  void floats(int32_t tensor, uint32_t layer, const std::vector<float>& values, uint64_t first = 0) {
    stop_.throw_if_stopped();
    GtewayCudaStatus status = {};
    check(model_.api().set(model_.get(), tensor, layer, first, values.size(), values.data(), &status),
          status);
  }

  void all_of(int32_t tensor, uint32_t layer, const Tensor& from, uint64_t first = 0) {
    std::vector<float> values;
    for (size_t i = 0; i < from.elements; i += values.size()) {
      values.resize(std::min(kChunk, from.elements - i));
      from.read(i, values.size(), values.data());
      floats(tensor, layer, values, first + i);
    }
  }

  // As [out, in]; `first` is where it begins in the parameter.
  void matrix(int32_t tensor, uint32_t layer, const Linear& linear, uint64_t first = 0) {
    if (linear.out_major) return all_of(tensor, layer, linear.weight, first);
    std::vector<float> stored(linear.in * linear.out), turned(stored.size());
    linear.weight.read(0, stored.size(), stored.data());
    for (size_t i = 0; i < linear.in; ++i)
      for (size_t o = 0; o < linear.out; ++o) turned[o * linear.in + i] = stored[i * linear.out + o];
    floats(tensor, layer, turned, first);
  }

  // `gamma`; beta follows it in the list of parameters.
  void norm(int32_t gamma, uint32_t layer, const LayerNorm& from) {
    all_of(gamma, layer, from.gamma);
    all_of(gamma + 1, layer, from.beta);
  }

 private:
  const ModelHandle& model_;
  const StopFlag& stop_;
};

void upload(const ModelHandle& model, const EncoderWeights& weights, const StopFlag& stop) {
  Upload to(model, stop);
  to.all_of(kGtewayCudaWords, 0, weights.words);
  const size_t hidden = weights.config.hidden;
  std::vector<float> positions(weights.config.positions * hidden), type(hidden);
  weights.positions.read(0, positions.size(), positions.data());
  weights.token_types.read(0, hidden, type.data());
  for (size_t i = 0; i < positions.size(); ++i) positions[i] += type[i % hidden];
  to.floats(kGtewayCudaPositions, 0, positions);
  to.norm(kGtewayCudaEmbeddingGamma, 0, weights.embedding_norm);
  for (uint32_t i = 0; i < weights.layers.size(); ++i) {
    const EncoderLayer& layer = weights.layers[i];
    uint64_t row = 0;
    for (const Linear* part : {&layer.query, &layer.key, &layer.value}) {
      to.matrix(kGtewayCudaQkv, i, *part, row * hidden);
      to.all_of(kGtewayCudaQkvBias, i, part->bias, row);
      row += part->out;
    }
    to.matrix(kGtewayCudaAttentionOutput, i, layer.attention_output);
    to.all_of(kGtewayCudaAttentionOutputBias, i, layer.attention_output.bias);
    to.norm(kGtewayCudaAttentionGamma, i, layer.attention_norm);
    to.matrix(kGtewayCudaUp, i, layer.up);
    to.all_of(kGtewayCudaUpBias, i, layer.up.bias);
    to.matrix(kGtewayCudaDown, i, layer.down);
    to.all_of(kGtewayCudaDownBias, i, layer.down.bias);
    to.norm(kGtewayCudaOutputGamma, i, layer.output_norm);
  }
}

GtewayCudaConfig library_config(const EncoderConfig& config, const CudaOptions& options) {
  if (options.dtype != "bf16" && options.dtype != "fp16")
    throw Error(ErrorCode::kModelUnsupported,
                "the CUDA encoder computes in bf16 or fp16, not in " + options.dtype);
  GtewayCudaConfig out = {};
  out.device = options.device_id;
  out.type = options.dtype == "bf16" ? kGtewayCudaBf16 : kGtewayCudaFp16;
  out.vocabulary = static_cast<uint32_t>(config.vocabulary);
  out.positions = static_cast<uint32_t>(config.positions);
  out.hidden = static_cast<uint32_t>(config.hidden);
  out.layers = static_cast<uint32_t>(config.layers);
  out.heads = static_cast<uint32_t>(config.heads);
  out.intermediate = static_cast<uint32_t>(config.intermediate);
  out.gelu_tanh = config.activation == Activation::kGeluTanh ? 1 : 0;
  out.layer_norm_epsilon = config.layer_norm_epsilon;
  out.max_batch_tokens = static_cast<uint32_t>(std::min<size_t>(options.max_batch_tokens, UINT32_MAX));
  return out;
}

GtewayCudaPooling library_pooling(Pooling pooling) {
  switch (pooling) {
    case Pooling::kMean:
      return kGtewayCudaMean;
    case Pooling::kCls:
      return kGtewayCudaCls;
    case Pooling::kNone:
    case Pooling::kScore:  // refused before it gets here
      break;
  }
  return kGtewayCudaNone;
}

double cosine(const float* a, const float* b, size_t count) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < count; ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

// The first two layers on texts of each class of lengths against the reference: two, because the reference is
// slow and every kernel runs in each. Then the whole model on each text alone, which is another way through
// the library (a graph), against all of them together.
void self_test(const ModelHandle& model, const EncoderWeights& weights, const StopFlag& stop) {
  EncoderWeights first_layers = weights;
  first_layers.config.layers = std::min<size_t>(2, weights.config.layers);
  first_layers.layers.resize(first_layers.config.layers);
  const size_t hidden = weights.config.hidden;
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets{0};
  for (const size_t length : {5, 20, 70})
    if (length <= weights.config.positions) {
      for (size_t i = 0; i < length; ++i)
        ids.push_back(static_cast<int32_t>((i * 7919 + length * 104729 + 1) % weights.config.vocabulary));
      offsets.push_back(static_cast<uint32_t>(ids.size()));
    }
  std::vector<float> rows(ids.size() * hidden);
  const GtewayCudaBatch batch = {ids.data(),
                                 offsets.data(),
                                 static_cast<uint32_t>(offsets.size() - 1),
                                 kGtewayCudaNone,
                                 0,
                                 static_cast<uint32_t>(first_layers.config.layers),
                                 rows.data()};
  GtewayCudaStatus status = {};
  check(model.api().embed(model.get(), &batch, &status), status);

  double worst = 1;
  const auto compare = [&worst, hidden](const float* a, const float* b) {
    const double similarity = cosine(a, b, hidden);
    worst = std::isnan(similarity) ? -1 : std::min(worst, similarity);
  };
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const std::vector<double> exact =
        reference_encode(first_layers, std::span(ids).subspan(offsets[s], offsets[s + 1] - offsets[s]), stop);
    const std::vector<float> expected(exact.begin(), exact.end());
    for (size_t t = 0; t < offsets[s + 1] - offsets[s]; ++t)
      compare(&expected[t * hidden], &rows[(offsets[s] + t) * hidden]);
  }
  const auto mean_rows = [&](size_t first, size_t last, float* out) {
    std::vector<uint32_t> part(offsets.begin() + static_cast<ptrdiff_t>(first),
                               offsets.begin() + static_cast<ptrdiff_t>(last) + 1);
    for (uint32_t& offset : part) offset -= offsets[first];
    const GtewayCudaBatch whole = {ids.data() + offsets[first],
                                   part.data(),
                                   static_cast<uint32_t>(last - first),
                                   kGtewayCudaMean,
                                   1,
                                   0,
                                   out};
    check(model.api().embed(model.get(), &whole, &status), status);
  };
  std::vector<float> together((offsets.size() - 1) * hidden), alone(hidden);
  mean_rows(0, offsets.size() - 1, together.data());
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    mean_rows(s, s + 1, alone.data());
    compare(alone.data(), &together[s * hidden]);
  }
  // A token's row in bf16 is within 1e-4 of the truth after two layers; a wrong kernel is nowhere near.
  if (!(worst >= 0.999))
    throw Error(ErrorCode::kInferenceFailed,
                "the CUDA encoder's vectors are not those of the model: the worst cosine of a self-test is " +
                    std::to_string(worst) + "; please report it with the name of the GPU");
}

class CudaEngine final : public Engine {
 public:
  CudaEngine(const EncoderWeights& weights, const GtewayCudaApi& api, const CudaOptions& options,
             const StopFlag& stop)
      : model_(api, library_config(weights.config, options)) {
    upload(model_, weights, stop);
    GtewayCudaStatus status = {};
    uint32_t max_batch_tokens = 0;
    check(api.finish(model_.get(), &max_batch_tokens, &status), status);
    self_test(model_, weights, stop);
    info_.engine = "encoder";
    info_.device = "cuda:" + std::to_string(options.device_id);
    info_.dtype = options.dtype;
    info_.dimensions = weights.config.hidden;
    GtewayCudaDevice device = {};
    check(api.describe_device(options.device_id, &device, &status), status);
    info_.isa = "sm_" + std::to_string(device.compute_major) + std::to_string(device.compute_minor);
    cost_.max_batch_tokens = max_batch_tokens;
  }

  const EngineInfo& info() const noexcept override { return info_; }
  const CostModel& cost() const noexcept override { return cost_; }

  void embed(const RaggedBatch& batch, Pooling pooling, bool normalize, size_t,
             std::span<float> out) override {
    if (batch.size() == 0) return;
    require_rows(info_, pooling);
    require_one_type(batch, info_);
    const GtewayCudaBatch given = {batch.ids.data(),
                                   batch.offsets.data(),
                                   static_cast<uint32_t>(batch.size()),
                                   library_pooling(pooling),
                                   normalize ? 1 : 0,
                                   0,
                                   out.data()};
    GtewayCudaStatus status = {};
    check(model_.api().embed(model_.get(), &given, &status), status);
  }

  void terminate() noexcept override { model_.api().terminate(model_.get()); }

 private:
  ModelHandle model_;
  EngineInfo info_;
  CostModel cost_;
};

}  // namespace

std::unique_ptr<Engine> make_cuda_encoder(const EncoderWeights& weights, const GtewayCudaApi& api,
                                          const CudaOptions& options, const StopFlag& stop) {
  if (!is_bert(weights))
    throw Error(ErrorCode::kModelUnsupported,
                "the CUDA encoder computes BERT's layers alone; this model has others, which the encoder for "
                "CPUs computes");
  return std::make_unique<CudaEngine>(weights, api, options, stop);
}

}  // namespace gteway::cuda
