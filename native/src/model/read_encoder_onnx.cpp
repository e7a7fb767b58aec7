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

// The longest text of a graph that turns heads by positions of any size: that of ModernBERT.
constexpr size_t kTurnedPositions = 8192;

// The output that is read: rows of tokens, or what a head makes of them.
struct Output {
  std::string_view name;
  bool is_logits;
};

Output output_of(const OnnxModel& model, const std::string& path) {
  std::vector<OutputShape> shapes;
  for (const OnnxPort& port : model.outputs) {
    const bool has_width = port.has_shape && !port.dims.empty() && port.dims.back().has_value();
    shapes.push_back({port.name, port.has_shape ? port.dims.size() : 0,
                      has_width ? static_cast<int64_t>(*port.dims.back()) : 0});
  }
  if (const std::optional<size_t> rows = choose_token_rows(shapes)) return {model.outputs[*rows].name, false};
  if (const std::optional<size_t> logits = choose_logits(shapes)) return {model.outputs[*logits].name, true};
  throw Error(ErrorCode::kModelUnsupported, path + ": no output has the shape [batch, sequence, hidden]");
}

class Reader {
 public:
  Reader(OnnxModel model, const std::string& path)
      : path_(path), model_(std::move(model)), evaluator_(model_, path_) {}

  EncoderWeights read() {
    const Output chosen = output_of(model_, path_);
    const TermId output = evaluator_.evaluate(chosen.name);
    const TermId rows = chosen.is_logits ? read_head(output) : output;
    const Term& last = expect(rows, Kind::kNorm, "the output of a layer is no LayerNorm");
    std::vector<EncoderLayer> layers;  // last first
    const TermId embeddings =
        term(last.operands[0]).kind == Kind::kResidual ? read_pre(rows, layers) : read_post(rows, layers);
    read_embeddings(embeddings);
    std::reverse(layers.begin(), layers.end());
    std::reverse(attention_.begin(), attention_.end());
    weights_.layers = std::move(layers);
    if (weights_.layers.empty()) refuse(rows, "it has no layer");
    EncoderConfig& config = weights_.config;
    config.layers = weights_.layers.size();
    if (std::any_of(attention_.begin(), attention_.end(),
                    [](const LayerAttention& layer) { return layer != LayerAttention(); }))
      config.attention = std::move(attention_);
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

  bool is_layer(TermId id) const { return term(id).kind == Kind::kLinear || term(id).kind == Kind::kProduct; }

  // Norms behind their blocks: layers from the last one's output; returns the first one's input.
  TermId read_post(TermId hidden, std::vector<EncoderLayer>& layers) {
    while (!is_embedding_norm(hidden)) hidden = read_layer(hidden, layers.emplace_back());
    return hidden;
  }

  // Norms before their blocks, and one behind the last layer.
  TermId read_pre(TermId output, std::vector<EncoderLayer>& layers) {
    weights_.config.norm_place = NormPlace::kPre;
    weights_.final_norm = norm(output);
    TermId stream = term(output).operands[0];
    while (term(stream).kind != Kind::kNorm || !is_embedding_norm(stream)) {
      EncoderLayer& layer = layers.emplace_back();
      const auto [before, down] = added(stream);
      const TermId inner = read_feed_forward(down, layer);
      expect(inner, Kind::kNorm, "the feed-forward network does not read a LayerNorm");
      layer.output_norm = norm(inner);
      if (term(inner).operands[0] != before)
        refuse(inner, "it is not of what the network's output is added to");
      const auto [input, projected] = added(before);
      layer.attention_output = linear(projected);
      // The first layer may read what the embeddings' norm left.
      const TermId read = read_attention(term(projected).operands[0], layer);
      if (read != input) {
        expect(read, Kind::kNorm, "attention does not read a LayerNorm");
        if (term(read).operands[0] != input) refuse(read, "it is not of what attention's output is added to");
        layer.attention_norm = norm(read);
      } else if (!is_embedding_norm(input)) {
        refuse(read, "attention reads what no LayerNorm was taken of");
      }
      stream = input;
    }
    return stream;
  }

  // x + layer, where norms come before their blocks.
  std::pair<TermId, TermId> added(TermId id) const {
    const Term& sum = term(id);
    if (sum.kind == Kind::kResidual) return {sum.operands[0], sum.operands[1]};
    if (sum.kind == Kind::kSum)
      for (const auto& [x, layer] :
           {std::pair{sum.operands[0], sum.operands[1]}, std::pair{sum.operands[1], sum.operands[0]}})
        if (is_layer(layer) && term(x).kind == Kind::kNorm) return {x, layer};
    refuse(id, "it is not the sum of a linear layer and the layer's input");
  }

  std::pair<TermId, TermId> summands(const Term& norm) const {
    const Term& sum = expect(norm.operands[0], Kind::kSum, "a LayerNorm is not taken of a sum");
    return {sum.operands[0], sum.operands[1]};
  }

  bool is_embedding_norm(TermId id) const {
    return term(id).kind == Kind::kNorm && is_embedding(term(id).operands[0]);
  }

  bool is_embedding(TermId id) const {
    const Term& candidate = term(id);
    if (candidate.kind == Kind::kLookup) return true;
    return candidate.kind == Kind::kSum &&
           (is_embedding(candidate.operands[0]) || is_embedding(candidate.operands[1]));
  }

  // The layer whose output is `output`; returns its input.
  TermId read_layer(TermId output, EncoderLayer& layer) {
    const Term& output_norm = expect(output, Kind::kNorm, "the output of a layer is no LayerNorm");
    layer.output_norm = norm(output);
    const auto [down_id, middle] = residual(output_norm);
    const TermId inner = read_feed_forward(down_id, layer);
    if (inner != middle) refuse(down_id, "the feed-forward network does not read what its residual adds");
    const Term& attention_norm =
        expect(middle, Kind::kNorm, "the residual of a feed-forward network is no LayerNorm");
    layer.attention_norm = norm(middle);
    const auto [projected, input] = residual(attention_norm);
    layer.attention_output = linear(projected);
    if (read_attention(term(projected).operands[0], layer) != input)
      refuse(projected, "attention does not read what its residual adds");
    return input;
  }

  // The network whose last product is `down_id`; returns what it reads.
  TermId read_feed_forward(TermId down_id, EncoderLayer& layer) {
    if (!is_layer(down_id)) refuse(down_id, "it is no linear layer");
    layer.down = linear(down_id);
    TermId active_id = term(down_id).operands[0];
    const bool is_gated = term(active_id).kind == Kind::kGated;
    agree(gated_, is_gated, down_id, "gated as the layers behind are not");
    weights_.config.gated = is_gated;
    const TermId up_id = is_gated ? term(active_id).operands[1] : active_id;
    if (is_gated) active_id = term(active_id).operands[0];
    const Term& active = term(active_id);
    if (active.kind != Kind::kGeluErf && active.kind != Kind::kGeluTanh && active.kind != Kind::kReluRow)
      refuse(down_id, "its input is no GELU; of graphs the encoder knows no other activation but ReLU");
    agree(activation_,
          active.kind == Kind::kGeluErf    ? Activation::kGeluErf
          : active.kind == Kind::kGeluTanh ? Activation::kGeluTanh
                                           : Activation::kRelu,
          active_id, "another activation than in the layers behind");
    const auto [first, inner] = part(active.operands[0], "GELU is not taken of a linear layer");
    agree(intermediate_, first.out, active.operands[0], "another width than in the layers behind");
    if (!is_gated) {
      layer.up = first;
      return inner;
    }
    const auto [second, same] = part(up_id, "what a gate multiplies is no linear layer");
    if (same != inner || second.out != first.out) refuse(up_id, "a gate and what it multiplies do not fit");
    layer.gate = first;
    layer.up = second;
    return inner;
  }

  // The attention that is joined in `merged_id`; returns what it reads.
  TermId read_attention(TermId merged_id, EncoderLayer& layer) {
    const Term& merged = expect(merged_id, Kind::kMerged, "its input is no attention");
    const Term& mixed = term(merged.operands[0]);
    const Term& probabilities = term(mixed.operands[0]);
    const std::array<std::pair<Linear*, TermId>, 3> parts = {{{&layer.query, probabilities.operands[0]},
                                                              {&layer.key, probabilities.operands[1]},
                                                              {&layer.value, mixed.operands[1]}}};
    std::optional<TermId> input;
    for (const auto& [to, id] : parts) {
      const auto [found, from] = part(id, "queries, keys and values must come from linear layers");
      if (input && *input != from) refuse(id, "queries, keys and values are not of the same");
      input = from;
      *to = found;
      if (to->out != hidden_) refuse(id, "queries, keys and values must have the hidden size");
    }
    agree(heads_, static_cast<size_t>(probabilities.integers[0]), merged_id,
          "another number of heads than in the layers behind");
    weights_.config.heads = *heads_;
    weights_.config.head_size = static_cast<size_t>(probabilities.integers[1]);
    const int64_t reach = probabilities.integers[2], form = probabilities.integers[3];
    LayerAttention attention;
    if (reach >= 0) attention.reach = static_cast<size_t>(reach);
    if (form == 1) {
      const Tensor frequencies = tensor(probabilities.operands[2]);
      if (frequencies.elements * 2 != weights_.config.head_size)
        refuse(merged_id, "heads are turned by angles of another size");
      attention.rotation.resize(frequencies.elements);
      frequencies.read(0, frequencies.elements, attention.rotation.data());
    }
    attention_.push_back(std::move(attention));
    const std::optional<TermId> bias = form == 2 ? std::optional(probabilities.operands[2]) : std::nullopt;
    agree(bias_, bias, merged_id, "another bias by distance than in the layers behind");
    if (bias) {
      weights_.relative_bias.table = tensor(*bias);
      weights_.relative_bias.buckets = static_cast<size_t>(term(*bias).shape[0]);
    }
    return *input;
  }

  // norm(linear + x): the linear layer, and x.
  std::pair<TermId, TermId> residual(const Term& norm) const {
    const auto [a, b] = summands(norm);
    if (is_layer(a) && term(b).kind == Kind::kNorm) return {a, b};
    if (is_layer(b) && term(a).kind == Kind::kNorm) return {b, a};
    refuse(norm.operands[0], "it is not the sum of a linear layer and the layer's input");
  }

  void read_embeddings(TermId hidden) {
    weights_.embedding_norm = norm(hidden);
    std::vector<TermId> lookups;
    collect(term(hidden).operands[0], lookups);
    EncoderConfig& config = weights_.config;
    bool has_words = false, has_positions = false, has_types = false;
    for (const TermId id : lookups) {
      const Term& lookup = expect(id, Kind::kLookup, "the embeddings add something else than rows of tables");
      const Term& table = term(lookup.operands[0]);
      const Term& indices = term(lookup.operands[1]);
      const auto rows = static_cast<size_t>(table.shape[0]);
      if (static_cast<size_t>(table.shape[1]) != hidden_) refuse(id, "a table has rows of another size");
      if (rows == 0) refuse(id, "a table has no row");
      const bool is_padded = indices.kind == Kind::kPaddedPositions;
      bool& has = indices.kind == Kind::kIds                      ? has_words
                  : indices.kind == Kind::kPositions || is_padded ? has_positions
                                                                  : has_types;
      if (has) refuse(id, "the embeddings look up the same thing twice");
      has = true;
      if (indices.kind == Kind::kIds) {
        weights_.words = tensor(lookup.operands[0]);
        config.vocabulary = rows;
      } else if (is_padded) {
        const int64_t padding = indices.integers[0];
        if (padding < 0 || padding >= static_cast<int64_t>(rows) - 1)
          refuse(id, "no position is left behind that of the padding");
        weights_.positions = tensor(lookup.operands[0]);
        config.padding_id = static_cast<int32_t>(padding);
        config.positions = rows - static_cast<size_t>(padding) - 1;
      } else if (indices.kind == Kind::kPositions) {
        weights_.positions = tensor(lookup.operands[0]);
        config.positions = std::min(rows, static_cast<size_t>(indices.integers[0]));
        weights_.positions.elements = config.positions * hidden_;  // at most the rows it has
      } else {
        weights_.token_types = tensor(lookup.operands[0]);
        // Without an input that says them, all tokens are of the first.
        const bool is_given = std::any_of(model_.inputs.begin(), model_.inputs.end(),
                                          [](const OnnxPort& port) { return port.name == "token_type_ids"; });
        config.token_types = is_given ? rows : 1;
        weights_.token_types.elements = config.token_types * hidden_;
      }
    }
    if (!has_words) refuse(hidden, "the embeddings are not a sum with words");
    config.has_positions = has_positions;
    const bool turns = std::all_of(attention_.begin(), attention_.end(),
                                   [](const LayerAttention& layer) { return !layer.rotation.empty(); });
    if (!has_positions && !turns) refuse(hidden, "the embeddings know nothing of positions");
    // The graph has no bound of its own, and config.json is not read beside it.
    if (!has_positions) config.positions = kTurnedPositions;
    config.hidden = hidden_;
    config.intermediate = intermediate_.value_or(0);
    config.activation = activation_.value_or(Activation::kGeluErf);
    config.layer_norm_epsilon = *epsilon_;
  }

  void collect(TermId id, std::vector<TermId>& lookups) const {
    if (term(id).kind != Kind::kSum) {
      lookups.push_back(id);
      return;
    }
    for (const TermId part : term(id).operands) collect(part, lookups);
  }

  // classifier(norm(activation(dense(row)))); returns the rows of tokens.
  TermId read_head(TermId logits) {
    ClassificationHead head;
    if (!is_layer(logits)) refuse(logits, "the logits come from no linear layer");
    head.classifier = linear(logits);
    TermId active = term(logits).operands[0];
    if (term(active).kind == Kind::kNorm) {
      head.norm = parameters(active);
      agree(epsilon_, static_cast<float>(term(active).number), active, "another epsilon than behind");
      active = term(active).operands[0];
    }
    switch (term(active).kind) {
      case Kind::kTanhRow:
        head.activation = Activation::kTanh;
        break;
      case Kind::kReluRow:
        head.activation = Activation::kRelu;
        break;
      case Kind::kGeluErf:
        head.activation = Activation::kGeluErf;
        break;
      case Kind::kGeluTanh:
        head.activation = Activation::kGeluTanh;
        break;
      default:
        refuse(active, "the head has no activation that the encoder knows");
    }
    const TermId dense = term(active).operands[0];
    if (!is_layer(dense)) refuse(dense, "the head's activation is of no linear layer");
    head.dense = linear(dense);
    const Term& row = term(term(dense).operands[0]);
    if (row.kind != Kind::kFirstRow && row.kind != Kind::kMeanRow)
      refuse(term(dense).operands[0], "the head reads neither the first row nor the mean");
    head.mean = row.kind == Kind::kMeanRow;
    weights_.head = head;
    return row.operands[0];
  }

  LayerNorm norm(TermId id) {
    const Term& norm = term(id);
    const auto size = static_cast<size_t>(norm.shape.back());
    if (norm.shape.size() != 3 || norm.shape[0] != graph::kBatch || norm.shape[1] != graph::kSequence)
      refuse(id, "its values are not [batch, sequence, hidden]");
    if (hidden_ == 0) hidden_ = size;
    if (hidden_ != size) refuse(id, "another hidden size than in the layers behind");
    agree(epsilon_, static_cast<float>(norm.number), id, "another epsilon than in the LayerNorms behind");
    return parameters(id);
  }

  LayerNorm parameters(TermId id) const {
    const Term& norm = term(id);
    return {.gamma = tensor(norm.operands[1]),
            .beta = norm.operands.size() > 2 ? tensor(norm.operands[2]) : Tensor{}};
  }

  Linear linear(TermId id) const {
    const Term& layer = term(id);
    const Term& weight = term(layer.operands[1]);
    return {.weight = tensor(layer.operands[1]),
            .out_major = weight.integers[0] == 1,
            .in = static_cast<size_t>(weight.shape[0]),
            .out = static_cast<size_t>(weight.shape[1]),
            .bias = layer.operands.size() > 2 ? tensor(layer.operands[2]) : Tensor{},
            .stored_out = 0,
            .first_out = 0};
  }

  // A linear layer, or some columns of one, and what it reads.
  std::pair<Linear, TermId> part(TermId id, const char* reason) const {
    if (is_layer(id)) return {linear(id), term(id).operands[0]};
    const Term& columns = expect(id, Kind::kColumns, reason);
    const TermId whole_id = columns.operands[0];
    if (!is_layer(whole_id)) refuse(id, reason);
    const Linear whole = linear(whole_id);
    return {whole.columns(static_cast<size_t>(columns.integers[0]), static_cast<size_t>(columns.integers[1])),
            term(whole_id).operands[0]};
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
  std::vector<LayerAttention> attention_;  // last first
  std::optional<Activation> activation_;
  std::optional<size_t> intermediate_;
  std::optional<size_t> heads_;
  std::optional<float> epsilon_;
  std::optional<bool> gated_;
  std::optional<std::optional<TermId>> bias_;
};

}  // namespace

EncoderWeights read_encoder_onnx(OnnxModel model, const std::string& path) {
  return Reader(std::move(model), path).read();
}

}  // namespace gteway
