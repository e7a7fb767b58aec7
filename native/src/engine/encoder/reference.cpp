#include "engine/encoder/reference.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.hpp"

namespace gteway {
namespace {

// Weights that are read together.
constexpr size_t kPiece = size_t{1} << 16;

// Row-major, one row per token.
struct Matrix {
  Matrix(size_t rows_, size_t columns_) : rows(rows_), columns(columns_), values(rows_ * columns_) {}
  double& operator()(size_t row, size_t column) { return values[row * columns + column]; }
  double operator()(size_t row, size_t column) const { return values[row * columns + column]; }
  size_t rows, columns;
  std::vector<double> values;
};

std::vector<float> read(const Tensor& tensor, size_t first, size_t count) {
  std::vector<float> values(count);
  tensor.read(first, count, values.data());
  return values;
}

// Four sums side by side, since each addition waits for the one before it.
double dot(const double* x, std::span<const float> weights) {
  double sums[4] = {};
  for (size_t k = 0; k + 4 <= weights.size(); k += 4)
    for (size_t lane = 0; lane < 4; ++lane) sums[lane] += x[k + lane] * weights[k + lane];
  for (size_t k = weights.size() - weights.size() % 4; k < weights.size(); ++k) sums[0] += x[k] * weights[k];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

// y = x W + b
Matrix linear(const Matrix& x, const Linear& layer, const StopFlag& stop) {
  const std::vector<float> bias = read(layer.bias, 0, layer.bias.elements);
  Matrix y(x.rows, layer.out);
  for (size_t row = 0; row < x.rows; ++row) std::copy(bias.begin(), bias.end(), &y(row, 0));
  // Weights are read once, in the order they lie in the file, some rows of theirs at a time.
  const size_t length = layer.out_major ? layer.in : layer.stored_width();
  const size_t count = layer.out_major ? layer.out : layer.in;
  const size_t together = std::max<size_t>(1, kPiece / length);
  std::vector<float> piece;
  for (size_t first = 0; first < count; first += together) {
    stop.throw_if_stopped();
    const size_t rows = std::min(together, count - first);
    piece.resize(rows * length);
    layer.weight.read(first * length, piece.size(), piece.data());
    for (size_t i = 0; i < rows; ++i) {
      const std::span<const float> weights = std::span(piece).subspan(i * length, length);
      for (size_t row = 0; row < x.rows; ++row) {
        if (layer.out_major) {
          y(row, first + i) += dot(x.values.data() + row * x.columns, weights);
        } else {
          for (size_t out = 0; out < layer.out; ++out)
            y(row, out) += x(row, first + i) * weights[layer.first_out + out];
        }
      }
    }
  }
  return y;
}

// Each row to mean 0 and variance 1, then scaled and shifted per column.
void normalize(Matrix& x, const LayerNorm& norm, double epsilon) {
  const std::vector<float> gamma = read(norm.gamma, 0, x.columns);
  std::vector<float> beta = read(norm.beta, 0, norm.beta.elements);
  beta.resize(x.columns);  // none: 0
  for (size_t row = 0; row < x.rows; ++row) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < x.columns; ++i) mean += x(row, i) / static_cast<double>(x.columns);
    for (size_t i = 0; i < x.columns; ++i)
      variance += (x(row, i) - mean) * (x(row, i) - mean) / static_cast<double>(x.columns);
    for (size_t i = 0; i < x.columns; ++i)
      x(row, i) = (x(row, i) - mean) / std::sqrt(variance + epsilon) * gamma[i] + beta[i];
  }
}

double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::kGeluErf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979324) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kRelu:
      return x > 0 || x != x ? x : 0;
    case Activation::kTanh:
      return std::tanh(x);
  }
  return x;
}

// Each head's dimensions i and i + head_size / 2, turned by position × rotation[i]. Angles are those of
// PyTorch, which computes them in float32.
void turn(Matrix& x, const std::vector<float>& rotation, size_t head_size) {
  for (size_t row = 0; row < x.rows; ++row)
    for (size_t first = 0; first < x.columns; first += head_size)
      for (size_t i = 0; i < rotation.size(); ++i) {
        const double angle = static_cast<float>(row) * rotation[i];
        double& a = x(row, first + i);
        double& b = x(row, first + i + head_size / 2);
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = turned;
      }
}

// For every head: softmax(q kᵀ / sqrt(head_size) + bias) v of the keys in reach, heads beside each other.
Matrix attention(Matrix q, Matrix k, const Matrix& v, const EncoderWeights& model, size_t layer) {
  const EncoderConfig& config = model.config;
  const LayerAttention& how = config.attention_of(layer);
  turn(q, how.rotation, config.head_size);
  turn(k, how.rotation, config.head_size);
  const RelativeBias& relative = model.relative_bias;
  const std::vector<float> bias = read(relative.table, 0, relative.table.elements);
  const size_t tokens = q.rows;
  Matrix out(tokens, q.columns);
  std::vector<double> weights;
  for (size_t head = 0; head < config.heads; ++head) {
    const size_t first = head * config.head_size, end = first + config.head_size;
    for (size_t i = 0; i < tokens; ++i) {
      const size_t begin = i - std::min(i, how.reach),
                   keys = std::min(tokens - 1 - i, how.reach) + 1 + i - begin;
      weights.assign(keys, 0);
      for (size_t j = 0; j < keys; ++j) {
        double score = 0;
        for (size_t d = first; d < end; ++d) score += q(i, d) * k(begin + j, d);
        weights[j] = score / std::sqrt(static_cast<double>(config.head_size));
        if (bias.empty()) continue;
        const auto distance = static_cast<int64_t>(begin + j) - static_cast<int64_t>(i);
        weights[j] += bias[relative_bucket(distance, relative.buckets) * config.heads + head];
      }
      const double largest = *std::max_element(weights.begin(), weights.end());
      double total = 0;
      for (double& weight : weights) total += weight = std::exp(weight - largest);
      for (size_t j = 0; j < keys; ++j)
        for (size_t d = first; d < end; ++d) out(i, d) += weights[j] / total * v(begin + j, d);
    }
  }
  return out;
}

void add(Matrix& x, const Matrix& y) {
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] += y.values[i];
}

// The row of the position table for each token.
std::vector<size_t> position_rows_of(const EncoderConfig& config, std::span<const int32_t> ids) {
  std::vector<size_t> rows(ids.size());
  if (!config.padding_id) {
    for (size_t i = 0; i < ids.size(); ++i) rows[i] = i;
    return rows;
  }
  const auto padding = static_cast<size_t>(*config.padding_id);
  size_t seen = 0;
  for (size_t i = 0; i < ids.size(); ++i) rows[i] = ids[i] == *config.padding_id ? padding : padding + ++seen;
  return rows;
}

Matrix embed(const EncoderWeights& weights, std::span<const int32_t> ids, std::span<const int32_t> types) {
  const EncoderConfig& config = weights.config;
  Matrix x(ids.size(), config.hidden);
  const auto add_row = [&](size_t token, const Tensor& table, size_t row) {
    const std::vector<float> values = read(table, row * config.hidden, config.hidden);
    for (size_t d = 0; d < config.hidden; ++d) x(token, d) += values[d];
  };
  const std::vector<size_t> positions = position_rows_of(config, ids);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<size_t>(ids[i]);
    if (ids[i] < 0 || id >= config.vocabulary || i >= config.positions)
      throw Error(ErrorCode::kInvalidArgument, "token " + std::to_string(ids[i]) + " at " +
                                                   std::to_string(i) +
                                                   " is not in the vocabulary or beyond the last position");
    add_row(i, weights.words, id);
    if (config.has_positions) add_row(i, weights.positions, positions[i]);
    if (config.token_types > 0)
      add_row(i, weights.token_types, types.empty() ? 0 : static_cast<size_t>(types[i]));
  }
  return x;
}

// down(activation(up(x))), or down(activation(gate(x)) × up(x))
Matrix feed_forward(const Matrix& x, const EncoderLayer& layer, const EncoderConfig& config,
                    const StopFlag& stop) {
  Matrix inner = linear(x, config.gated ? layer.gate : layer.up, stop);
  for (double& value : inner.values) value = activate(value, config.activation);
  if (config.gated) {
    const Matrix up = linear(x, layer.up, stop);
    for (size_t i = 0; i < inner.values.size(); ++i) inner.values[i] *= up.values[i];
  }
  return linear(inner, layer.down, stop);
}

Matrix normalized(Matrix x, const LayerNorm& norm, double epsilon) {
  normalize(x, norm, epsilon);
  return x;
}

}  // namespace

std::vector<double> reference_encode(const EncoderWeights& weights, std::span<const int32_t> ids,
                                     const StopFlag& stop, std::span<const int32_t> types) {
  const EncoderConfig& config = weights.config;
  const double epsilon = config.layer_norm_epsilon;
  Matrix x = embed(weights, ids, types);
  normalize(x, weights.embedding_norm, epsilon);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const EncoderLayer& layer = weights.layers[i];
    const auto attend = [&](const Matrix& input) {
      const Matrix context = attention(linear(input, layer.query, stop), linear(input, layer.key, stop),
                                       linear(input, layer.value, stop), weights, i);
      return linear(context, layer.attention_output, stop);
    };
    if (config.norm_place == NormPlace::kPost) {
      add(x, attend(x));
      normalize(x, layer.attention_norm, epsilon);
      add(x, feed_forward(x, layer, config, stop));
      normalize(x, layer.output_norm, epsilon);
    } else {
      const bool has_norm = layer.attention_norm.gamma.elements > 0;
      add(x, attend(has_norm ? normalized(x, layer.attention_norm, epsilon) : x));
      add(x, feed_forward(normalized(x, layer.output_norm, epsilon), layer, config, stop));
    }
  }
  if (config.norm_place == NormPlace::kPre) normalize(x, weights.final_norm, epsilon);
  return std::move(x.values);
}

std::vector<double> reference_score(const EncoderWeights& weights, std::span<const double> rows) {
  const ClassificationHead& head = *weights.head;
  const size_t hidden = weights.config.hidden, tokens = rows.size() / hidden;
  Matrix x(1, hidden);
  for (size_t i = 0; i < (head.mean ? tokens : 1); ++i)
    for (size_t d = 0; d < hidden; ++d)
      x(0, d) += rows[i * hidden + d] / static_cast<double>(head.mean ? tokens : 1);
  x = linear(x, head.dense, StopFlag());
  for (double& value : x.values) value = activate(value, head.activation);
  if (head.norm.gamma.elements > 0) normalize(x, head.norm, weights.config.layer_norm_epsilon);
  return std::move(linear(x, head.classifier, StopFlag()).values);
}

// Four tokens from all over the vocabulary.
static std::vector<int32_t> test_ids(const EncoderConfig& config) {
  std::vector<int32_t> ids(std::min<size_t>(4, config.positions));
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<int32_t>((2 * i + 1) * config.vocabulary / (2 * ids.size()));
  return ids;
}

double least_cosine_to_reference(Engine& engine, const EncoderWeights& weights, const StopFlag& stop) {
  const EncoderConfig& config = weights.config;
  const std::vector<int32_t> ids = test_ids(config);
  const std::vector<double> expected = reference_encode(weights, ids, stop);
  std::vector<float> rows(expected.size());
  const uint32_t offsets[] = {0, static_cast<uint32_t>(ids.size())};
  engine.embed({ids, offsets}, Pooling::kNone, false, 1, rows);

  double least = 1;
  for (size_t i = 0; i < ids.size(); ++i) {
    double dot = 0, square = 0, expected_square = 0;
    for (size_t d = i * config.hidden; d < (i + 1) * config.hidden; ++d) {
      dot += rows[d] * expected[d];
      square += static_cast<double>(rows[d]) * rows[d];
      expected_square += expected[d] * expected[d];
    }
    const double cosine = dot / std::sqrt(square * expected_square);
    least = cosine < least ? cosine : cosine == cosine ? least : -1;
  }
  return least;
}

double largest_error_of_head(Engine& engine, const EncoderWeights& weights) {
  const std::vector<int32_t> ids = test_ids(weights.config);
  const uint32_t offsets[] = {0, static_cast<uint32_t>(ids.size())};
  std::vector<float> rows(ids.size() * weights.config.hidden), logits(weights.head->classifier.out);
  engine.embed({ids, offsets}, Pooling::kNone, false, 1, rows);
  engine.embed({ids, offsets}, Pooling::kScore, false, 1, logits);
  const std::vector<double> expected =
      reference_score(weights, std::vector<double>(rows.begin(), rows.end()));
  double largest = 0, error = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    largest = std::max(largest, std::fabs(expected[i]));
    const double off = std::fabs(static_cast<double>(logits[i]) - expected[i]);
    error = off >= error ? off : off == off ? error : INFINITY;
  }
  return error / std::max(largest, 1.0);
}

}  // namespace gteway
