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
  const std::vector<float> bias = read(layer.bias, 0, layer.out);
  Matrix y(x.rows, layer.out);
  for (size_t row = 0; row < x.rows; ++row) std::copy(bias.begin(), bias.end(), &y(row, 0));
  // Weights are read once, in the order they lie in the file, some rows of theirs at a time.
  const size_t length = layer.out_major ? layer.in : layer.out;
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
          for (size_t out = 0; out < layer.out; ++out) y(row, out) += x(row, first + i) * weights[out];
        }
      }
    }
  }
  return y;
}

// Each row to mean 0 and variance 1, then scaled and shifted per column.
void normalize(Matrix& x, const LayerNorm& norm, double epsilon) {
  const std::vector<float> gamma = read(norm.gamma, 0, x.columns), beta = read(norm.beta, 0, x.columns);
  for (size_t row = 0; row < x.rows; ++row) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < x.columns; ++i) mean += x(row, i) / static_cast<double>(x.columns);
    for (size_t i = 0; i < x.columns; ++i)
      variance += (x(row, i) - mean) * (x(row, i) - mean) / static_cast<double>(x.columns);
    for (size_t i = 0; i < x.columns; ++i)
      x(row, i) = (x(row, i) - mean) / std::sqrt(variance + epsilon) * gamma[i] + beta[i];
  }
}

double gelu(double x, Activation activation) {
  if (activation == Activation::kGeluTanh)
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979324) * (x + 0.044715 * x * x * x)));
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}

// For every head: softmax(q kᵀ / sqrt(head_size)) v, heads beside each other.
Matrix attention(const Matrix& q, const Matrix& k, const Matrix& v, const EncoderConfig& config) {
  const size_t tokens = q.rows;
  Matrix out(tokens, q.columns);
  std::vector<double> weights(tokens);
  for (size_t first = 0; first < q.columns; first += config.head_size) {
    const size_t end = first + config.head_size;
    for (size_t i = 0; i < tokens; ++i) {
      for (size_t j = 0; j < tokens; ++j) {
        double score = 0;
        for (size_t d = first; d < end; ++d) score += q(i, d) * k(j, d);
        weights[j] = score / std::sqrt(static_cast<double>(config.head_size));
      }
      const double largest = *std::max_element(weights.begin(), weights.end());
      double total = 0;
      for (double& weight : weights) total += weight = std::exp(weight - largest);
      for (size_t j = 0; j < tokens; ++j)
        for (size_t d = first; d < end; ++d) out(i, d) += weights[j] / total * v(j, d);
    }
  }
  return out;
}

void add(Matrix& x, const Matrix& y) {
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] += y.values[i];
}

Matrix embed(const EncoderWeights& weights, std::span<const int32_t> ids) {
  const EncoderConfig& config = weights.config;
  Matrix x(ids.size(), config.hidden);
  const std::vector<float> type = read(weights.token_types, 0, config.hidden);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<size_t>(ids[i]);
    if (ids[i] < 0 || id >= config.vocabulary || i >= config.positions)
      throw Error(ErrorCode::kInvalidArgument, "token " + std::to_string(ids[i]) + " at " +
                                                   std::to_string(i) +
                                                   " is not in the vocabulary or beyond the last position");
    const std::vector<float> word = read(weights.words, id * config.hidden, config.hidden);
    const std::vector<float> position = read(weights.positions, i * config.hidden, config.hidden);
    for (size_t d = 0; d < config.hidden; ++d) x(i, d) = static_cast<double>(word[d]) + position[d] + type[d];
  }
  return x;
}

}  // namespace

std::vector<double> reference_encode(const EncoderWeights& weights, std::span<const int32_t> ids,
                                     const StopFlag& stop) {
  const EncoderConfig& config = weights.config;
  Matrix x = embed(weights, ids);
  normalize(x, weights.embedding_norm, config.layer_norm_epsilon);
  for (const EncoderLayer& layer : weights.layers) {
    const Matrix context = attention(linear(x, layer.query, stop), linear(x, layer.key, stop),
                                     linear(x, layer.value, stop), config);
    add(x, linear(context, layer.attention_output, stop));
    normalize(x, layer.attention_norm, config.layer_norm_epsilon);

    Matrix inner = linear(x, layer.up, stop);
    for (double& value : inner.values) value = gelu(value, config.activation);
    add(x, linear(inner, layer.down, stop));
    normalize(x, layer.output_norm, config.layer_norm_epsilon);
  }
  return std::move(x.values);
}

double least_cosine_to_reference(Engine& engine, const EncoderWeights& weights, const StopFlag& stop) {
  const EncoderConfig& config = weights.config;
  std::vector<int32_t> ids(std::min<size_t>(4, config.positions));
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<int32_t>((2 * i + 1) * config.vocabulary / (2 * ids.size()));
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

}  // namespace gteway
