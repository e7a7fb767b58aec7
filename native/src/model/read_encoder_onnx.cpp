// Reads the encoder off the term of the graph's output: from the last LayerNorm back to the embeddings.
#include "model/read_encoder_onnx.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "model/graph/evaluator.hpp"
#include "model/onnx_model.hpp"
#include "model/token_rows.hpp"

namespace gteway {
namespace {

using graph::Kind;
using graph::Term;
using graph::TermId;

std::string_view token_rows_of(const OnnxModel& model, const std::string& path) {
  std::vector<OutputShape> shapes;
  for (const OnnxPort& port : model.outputs)
    shapes.push_back({port.name, port.has_shape ? port.dims.size() : 0});
  const std::optional<size_t> chosen = choose_token_rows(shapes);
  if (!chosen)
    throw Error(ErrorCode::kModelUnsupported, path + ": no output has the shape [batch, sequence, hidden]");
  return model.outputs[*chosen].name;
}

class Reader {
 public:
  Reader(OnnxModel model, const std::string& path)
      : path_(path), model_(std::move(model)), evaluator_(model_, path_) {}

  EncoderWeights read() {
    const TermId output = evaluator_.evaluate(token_rows_of(model_, path_));
    std::vector<EncoderLayer> layers;  // last first
    TermId hidden = output;
    for (;;) {
      const Term& norm = expect(hidden, Kind::kNorm, "the output of a layer is no LayerNorm");
      const std::pair<TermId, TermId> sum = summands(norm);
      if (is_embedding(sum.first) || is_embedding(sum.second)) break;
      hidden = read_layer(hidden, layers.emplace_back());
    }
    read_embeddings(hidden);
    std::reverse(layers.begin(), layers.end());
    weights_.layers = std::move(layers);
    if (weights_.layers.empty()) refuse(output, "it has no layer");
    weights_.config.layers = weights_.layers.size();
    weights_.files = model_.files;
    weights_.memory = model_.memory;
    return std::move(weights_);
  }

 private:
  const Term& term(TermId id) const { return evaluator_.terms()[id]; }

  [[noreturn]] void refuse(TermId id, const std::string& reason) const {
    evaluator_.unsupported(term(id).node, reason);
  }

  const Term& expect(TermId id, Kind kind, const char* reason) const {
    if (term(id).kind != kind) refuse(id, reason);
    return term(id);
  }

  std::pair<TermId, TermId> summands(const Term& norm) const {
    const Term& sum = expect(norm.operands[0], Kind::kSum, "a LayerNorm is not taken of a sum");
    return {sum.operands[0], sum.operands[1]};
  }

  bool is_embedding(TermId id) const {
    const Term& candidate = term(id);
    if (candidate.kind == Kind::kLookup) return true;
    return candidate.kind == Kind::kSum &&
           (is_embedding(candidate.operands[0]) || is_embedding(candidate.operands[1]));
  }

  // The layer whose output is `output`; returns its input.
  TermId read_layer(TermId output, EncoderLayer& layer) {
    const Term& output_norm = term(output);
    layer.output_norm = norm(output);
    const auto [down_id, middle] = residual(output_norm);
    const Term& down = term(down_id);
    layer.down = linear(down_id);
    const Term& gelu = term(down.operands[0]);
    if (gelu.kind != Kind::kGeluErf && gelu.kind != Kind::kGeluTanh)
      refuse(down_id, "its input is no GELU; the encoder has no other activation");
    agree(activation_, gelu.kind == Kind::kGeluErf ? Activation::kGeluErf : Activation::kGeluTanh,
          down.operands[0], "another activation than in the layers behind");
    const Term& up = expect(gelu.operands[0], Kind::kLinear, "GELU is not taken of a linear layer");
    layer.up = linear(gelu.operands[0]);
    agree(intermediate_, layer.up.out, gelu.operands[0], "another width than in the layers behind");
    if (up.operands[0] != middle)
      refuse(gelu.operands[0], "the feed-forward network does not read what its residual adds");

    const Term& attention_norm =
        expect(middle, Kind::kNorm, "the residual of a feed-forward network is no LayerNorm");
    layer.attention_norm = norm(middle);
    const auto [projected, input] = residual(attention_norm);
    layer.attention_output = linear(projected);
    read_attention(term(projected).operands[0], input, layer);
    return input;
  }

  void read_attention(TermId merged_id, TermId input, EncoderLayer& layer) {
    const Term& merged = expect(merged_id, Kind::kMerged, "its input is no attention");
    const Term& mixed = term(merged.operands[0]);
    const Term& probabilities = term(mixed.operands[0]);
    const std::array<std::pair<Linear*, TermId>, 3> parts = {{{&layer.query, probabilities.operands[0]},
                                                              {&layer.key, probabilities.operands[1]},
                                                              {&layer.value, mixed.operands[1]}}};
    for (const auto& [to, id] : parts) {
      const Term& part = expect(id, Kind::kLinear, "queries, keys and values must come from linear layers");
      if (part.operands[0] != input) refuse(id, "attention does not read what its residual adds");
      *to = linear(id);
      if (to->out != hidden_) refuse(id, "queries, keys and values must have the hidden size");
    }
    agree(heads_, static_cast<size_t>(probabilities.integers[0]), merged_id,
          "another number of heads than in the layers behind");
    weights_.config.heads = *heads_;
    weights_.config.head_size = static_cast<size_t>(probabilities.integers[1]);
  }

  // norm(linear + x): the linear layer, and x.
  std::pair<TermId, TermId> residual(const Term& norm) const {
    const auto [a, b] = summands(norm);
    if (term(a).kind == Kind::kLinear && term(b).kind == Kind::kNorm) return {a, b};
    if (term(b).kind == Kind::kLinear && term(a).kind == Kind::kNorm) return {b, a};
    refuse(norm.operands[0], "it is not the sum of a linear layer and the layer's input");
  }

  void read_embeddings(TermId hidden) {
    weights_.embedding_norm = norm(hidden);
    std::vector<TermId> lookups;
    collect(term(hidden).operands[0], lookups);
    bool has_words = false, has_positions = false, has_types = false;
    for (const TermId id : lookups) {
      const Term& lookup = expect(id, Kind::kLookup, "the embeddings add something else than rows of tables");
      const Term& table = term(lookup.operands[0]);
      const Term& indices = term(lookup.operands[1]);
      const auto rows = static_cast<size_t>(table.shape[0]);
      if (static_cast<size_t>(table.shape[1]) != hidden_) refuse(id, "a table has rows of another size");
      bool& has = indices.kind == Kind::kIds         ? has_words
                  : indices.kind == Kind::kPositions ? has_positions
                                                     : has_types;
      if (has) refuse(id, "the embeddings look up the same thing twice");
      has = true;
      if (indices.kind == Kind::kIds) {
        weights_.words = tensor(lookup.operands[0]);
        weights_.config.vocabulary = rows;
      } else if (indices.kind == Kind::kPositions) {
        weights_.positions = tensor(lookup.operands[0]);
        weights_.config.positions = std::min(rows, static_cast<size_t>(indices.integers[0]));
        weights_.positions.elements = weights_.config.positions * hidden_;  // at most the rows it has
      } else {
        weights_.token_types = tensor(lookup.operands[0]);
        weights_.config.token_types = rows;
      }
    }
    if (!has_words || !has_positions || !has_types)
      refuse(hidden, "the embeddings are not the sum of words, positions and token types");
    weights_.config.hidden = hidden_;
    weights_.config.intermediate = intermediate_.value_or(0);
    weights_.config.activation = activation_.value_or(Activation::kGeluErf);
    weights_.config.layer_norm_epsilon = *epsilon_;
  }

  void collect(TermId id, std::vector<TermId>& lookups) const {
    if (term(id).kind != Kind::kSum) {
      lookups.push_back(id);
      return;
    }
    for (const TermId part : term(id).operands) collect(part, lookups);
  }

  LayerNorm norm(TermId id) {
    const Term& norm = term(id);
    const auto size = static_cast<size_t>(norm.shape.back());
    if (norm.shape.size() != 3 || norm.shape[0] != graph::kBatch || norm.shape[1] != graph::kSequence)
      refuse(id, "its values are not [batch, sequence, hidden]");
    if (hidden_ == 0) hidden_ = size;
    if (hidden_ != size) refuse(id, "another hidden size than in the layers behind");
    agree(epsilon_, static_cast<float>(norm.number), id, "another epsilon than in the LayerNorms behind");
    return {.gamma = tensor(norm.operands[1]), .beta = tensor(norm.operands[2])};
  }

  Linear linear(TermId id) const {
    const Term& layer = term(id);
    const Term& weight = term(layer.operands[1]);
    return {.weight = tensor(layer.operands[1]),
            .out_major = weight.integers[0] == 1,
            .in = static_cast<size_t>(weight.shape[0]),
            .out = static_cast<size_t>(weight.shape[1]),
            .bias = tensor(layer.operands[2])};
  }

  // The evaluator makes tensors of floats only.
  Tensor tensor(TermId id) const { return term(id).tensor->floats().value(); }

  // The encoder has one of it for all layers.
  template <class T>
  void agree(std::optional<T>& known, T found, TermId at, const char* reason) const {
    if (known && *known != found) refuse(at, reason);
    known = found;
  }

  const std::string& path_;
  OnnxModel model_;
  graph::Evaluator evaluator_;
  EncoderWeights weights_;
  size_t hidden_ = 0;
  std::optional<Activation> activation_;
  std::optional<size_t> intermediate_;
  std::optional<size_t> heads_;
  std::optional<float> epsilon_;
};

}  // namespace

EncoderWeights read_encoder_onnx(OnnxModel model, const std::string& path) {
  return Reader(std::move(model), path).read();
}

}  // namespace gteway
