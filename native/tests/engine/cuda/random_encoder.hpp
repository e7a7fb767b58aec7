// A small BERT-shaped encoder with random weights, computed in float64.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/cuda/abi.h"
#include "engine/cuda/device_case.hpp"

extern "C" const GtewayCudaApi* gteway_cuda_api(uint32_t abi);

namespace gteway::cuda::test {

class RandomEncoder {
 public:
  GtewayCudaConfig config = {};

  RandomEncoder(GtewayCudaType type, uint32_t hidden, uint32_t heads, uint32_t layers, uint32_t seed = 1) {
    config.type = type;
    config.vocabulary = 60;
    config.positions = 160;
    config.hidden = hidden;
    config.heads = heads;
    config.layers = layers;
    config.intermediate = hidden * 2;
    config.layer_norm_epsilon = 1e-12F;
    Random random(seed);
    const float spread = 1.5F / std::sqrt(static_cast<float>(hidden));
    for (int32_t tensor = 0; tensor <= kGtewayCudaOutputBeta; ++tensor) {
      const bool gamma = tensor == kGtewayCudaEmbeddingGamma || tensor == kGtewayCudaAttentionGamma ||
                         tensor == kGtewayCudaOutputGamma;
      const bool matrix = tensor == kGtewayCudaQkv || tensor == kGtewayCudaAttentionOutput ||
                          tensor == kGtewayCudaUp || tensor == kGtewayCudaDown;
      for (uint32_t layer = 0; layer < (tensor >= kGtewayCudaQkv ? layers : 1); ++layer)
        parameters_[static_cast<size_t>(tensor)].push_back(random.normals(elements(tensor),
                                                                          tensor < 2 ? 1.0F
                                                                          : matrix   ? spread
                                                                                     : 0.1F,
                                                                          gamma ? 1.0F : 0.0F));
    }
  }

  const std::vector<float>& parameter(int32_t tensor, uint32_t layer = 0) const {
    return parameters_[static_cast<size_t>(tensor)][layer];
  }

  void give_to(const GtewayCudaApi& api, GtewayCudaModel* model) const {
    GtewayCudaStatus status = {};
    for (int32_t tensor = 0; tensor <= kGtewayCudaOutputBeta; ++tensor)
      for (uint32_t layer = 0; layer < parameters_[static_cast<size_t>(tensor)].size(); ++layer) {
        const auto& values = parameter(tensor, layer);
        const uint64_t half = values.size() / 2;
        CHECK_EQ(api.set(model, tensor, layer, 0, half, values.data(), &status), kGtewayCudaOk);
        CHECK_EQ(api.set(model, tensor, layer, half, values.size() - half, values.data() + half, &status),
                 kGtewayCudaOk);
      }
  }

  // [tokens][hidden], of one sequence.
  std::vector<std::vector<double>> rows(std::span<const int32_t> ids, uint32_t layers) const {
    const uint32_t hidden = config.hidden, size = hidden / config.heads;
    std::vector<std::vector<double>> x(ids.size(), std::vector<double>(hidden));
    for (size_t t = 0; t < ids.size(); ++t) {
      for (uint32_t c = 0; c < hidden; ++c)
        x[t][c] =
            static_cast<double>(parameter(kGtewayCudaWords)[static_cast<uint32_t>(ids[t]) * hidden + c]) +
            parameter(kGtewayCudaPositions)[t * hidden + c];
      normalise(x[t], kGtewayCudaEmbeddingGamma, 0);
    }
    for (uint32_t layer = 0; layer < layers; ++layer) {
      std::vector<std::vector<double>> qkv;
      for (const auto& row : x) qkv.push_back(multiply(row, kGtewayCudaQkv, layer));
      for (size_t t = 0; t < ids.size(); ++t) {
        std::vector<double> context(hidden);
        for (uint32_t h = 0; h < config.heads; ++h) {
          std::vector<double> weights(ids.size());
          double sum = 0;
          for (size_t k = 0; k < ids.size(); ++k) {
            double dot = 0;
            for (uint32_t d = 0; d < size; ++d) dot += qkv[t][h * size + d] * qkv[k][hidden + h * size + d];
            sum += weights[k] = std::exp(dot / std::sqrt(size));
          }
          for (size_t k = 0; k < ids.size(); ++k)
            for (uint32_t d = 0; d < size; ++d)
              context[h * size + d] += weights[k] / sum * qkv[k][2 * hidden + h * size + d];
        }
        add_normalised(x[t], multiply(context, kGtewayCudaAttentionOutput, layer), kGtewayCudaAttentionGamma,
                       layer);
      }
      for (auto& row : x) {
        std::vector<double> inner = multiply(row, kGtewayCudaUp, layer);
        for (double& y : inner)
          y = config.gelu_tanh != 0
                  ? 0.5 * y * (1 + std::tanh(std::sqrt(2 / M_PI) * (y + 0.044715 * y * y * y)))
                  : 0.5 * y * (1 + std::erf(y / std::sqrt(2.0)));
        add_normalised(row, multiply(inner, kGtewayCudaDown, layer), kGtewayCudaOutputGamma, layer);
      }
    }
    return x;
  }

  static std::vector<double> pooled(const std::vector<std::vector<double>>& rows, GtewayCudaPooling pooling) {
    std::vector<double> vector = rows[0];
    if (pooling == kGtewayCudaMean) {
      for (size_t t = 1; t < rows.size(); ++t)
        for (size_t c = 0; c < vector.size(); ++c) vector[c] += rows[t][c];
      for (double& value : vector) value /= static_cast<double>(rows.size());
    }
    return vector;
  }

 private:
  size_t elements(int32_t tensor) const {
    const size_t hidden = config.hidden, inner = config.intermediate;
    switch (tensor) {
      case kGtewayCudaWords:
        return config.vocabulary * hidden;
      case kGtewayCudaPositions:
        return config.positions * hidden;
      case kGtewayCudaQkv:
        return 3 * hidden * hidden;
      case kGtewayCudaQkvBias:
        return 3 * hidden;
      case kGtewayCudaAttentionOutput:
        return hidden * hidden;
      case kGtewayCudaUp:
      case kGtewayCudaDown:
        return inner * hidden;
      case kGtewayCudaUpBias:
        return inner;
      default:
        return hidden;
    }
  }

  // The bias follows its matrix, and beta its gamma, in the list of parameters.
  std::vector<double> multiply(const std::vector<double>& x, int32_t weight, uint32_t layer) const {
    const auto& w = parameter(weight, layer);
    const auto& bias = parameter(weight + 1, layer);
    std::vector<double> y(bias.begin(), bias.end());
    for (size_t i = 0; i < y.size(); ++i)
      for (size_t k = 0; k < x.size(); ++k) y[i] += x[k] * w[i * x.size() + k];
    return y;
  }

  void normalise(std::vector<double>& row, int32_t gamma, uint32_t layer) const {
    double mean = 0, variance = 0;
    for (const double v : row) mean += v / static_cast<double>(row.size());
    for (const double v : row) variance += (v - mean) * (v - mean) / static_cast<double>(row.size());
    for (size_t c = 0; c < row.size(); ++c)
      row[c] =
          (row[c] - mean) / std::sqrt(variance + config.layer_norm_epsilon) * parameter(gamma, layer)[c] +
          parameter(gamma + 1, layer)[c];
  }

  void add_normalised(std::vector<double>& row, const std::vector<double>& more, int32_t gamma,
                      uint32_t layer) const {
    for (size_t c = 0; c < row.size(); ++c) row[c] += more[c];
    normalise(row, gamma, layer);
  }

  std::array<std::vector<std::vector<float>>, kGtewayCudaOutputBeta + 1> parameters_;
};

}  // namespace gteway::cuda::test
