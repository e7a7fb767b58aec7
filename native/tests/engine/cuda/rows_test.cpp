#include <algorithm>

#include "engine/cuda/device/layer_norm.cuh"
#include "engine/cuda/device/pooling.cuh"
#include "engine/cuda/device_case.hpp"

namespace gteway::cuda::test {
namespace {

constexpr float kEpsilon = 1e-12F;

struct Reference {
  std::vector<double> normalised;
  double mean, scale;
};

Reference reference(const std::vector<double>& row, const float* gamma, const float* beta) {
  double mean = 0, variance = 0;
  for (const double x : row) mean += x;
  mean /= static_cast<double>(row.size());
  for (const double x : row) variance += (x - mean) * (x - mean);
  const double scale = 1 / std::sqrt(variance / static_cast<double>(row.size()) + kEpsilon);
  Reference result{row, mean, scale};
  for (size_t i = 0; i < row.size(); ++i) result.normalised[i] = (row[i] - mean) * scale * gamma[i] + beta[i];
  return result;
}

BatchHeader header_of(uint32_t tokens, uint32_t sequences) {
  BatchHeader header = {};
  header.tokens = tokens;
  header.sequences = sequences;
  return header;
}

template <class T, uint32_t kVectors>
void check_embedding() {
  need_device();
  constexpr uint32_t kColumns = kVectors * 128, kWords = 20, kPositions = 8, kTokens = 7;
  Random random(kVectors);
  const auto words = random.normals(kWords * kColumns, 1, 0.3F),
             places = random.normals(kPositions * kColumns, 0.1F);
  const auto gamma = random.normals(kColumns, 0.2F, 1), beta = random.normals(kColumns, 0.2F);
  const std::vector<int32_t> ids{3, 19, 0, 7, 7, 1, 12};
  const std::vector<uint32_t> positions{0, 1, 2, 0, 1, 2, 7};
  in_every_schedule([&] {
    const DeviceArray<BatchHeader> batch(std::vector<BatchHeader>{header_of(kTokens, 2)});
    const DeviceArray<float> w(words), p(places), g(gamma), b(beta), sum(kTokens * kColumns);
    const DeviceArray<int32_t> i(ids);
    const DeviceArray<uint32_t> at(positions);
    const DeviceArray<float2> statistics(size_t{kTokens});
    const DeviceArray<uint16_t> out(kTokens * kColumns), again(kTokens * kColumns);
    const NormArguments norm = {batch.data(), sum.data(), statistics.data(), g.data(),
                                b.data(),     kEpsilon,   out.data()};
    const TestStream stream;
    check_cuda(launch(&embed_tokens<T, kVectors>, 5, kRowKernelThreads, 0, stream,
                      EmbeddingArguments{norm, i.data(), at.data(), w.data(), p.data()}),
               "launch");
    stream.finish();
    const auto kept = statistics.get();
    const auto sums = sum.get();
    NormArguments second = norm;
    second.out = again.data();
    check_cuda(launch(&layer_norm<T, kVectors>, 2, kRowKernelThreads, 0, stream, second), "launch");
    stream.finish();
    const auto rounded = out.get();
    CHECK(rounded == again.get());
    for (uint32_t t = 0; t < kTokens; ++t) {
      std::vector<double> row(kColumns);
      for (uint32_t c = 0; c < kColumns; ++c) {
        row[c] = static_cast<double>(words[static_cast<uint32_t>(ids[t]) * kColumns + c]) +
                 places[positions[t] * kColumns + c];
        CHECK_NEAR(sums[t * kColumns + c], row[c], 1e-6);
      }
      const Reference expected = reference(row, gamma.data(), beta.data());
      CHECK_NEAR(kept[t].x, expected.mean, 1e-6);
      CHECK_NEAR(kept[t].y, expected.scale, 1e-5);
      for (uint32_t c = 0; c < kColumns; ++c)
        CHECK_NEAR(widen(T{rounded[t * kColumns + c]}), expected.normalised[c],
                   std::fabs(expected.normalised[c]) * unit_roundoff<T>() + 1e-5);
    }
  });
}

template <uint32_t kVectors>
void check_pooling() {
  need_device();
  constexpr uint32_t kColumns = kVectors * 128;
  const std::vector<uint32_t> offsets{0, 1, 20, 23, 32};
  const uint32_t tokens = offsets.back(), sequences = 4;
  Random random(10 + kVectors);
  const auto sums = random.normals(tokens * kColumns), gamma = random.normals(kColumns, 0.2F, 1),
             beta = random.normals(kColumns, 0.2F);
  std::vector<float2> statistics(tokens);
  std::vector<Reference> rows;
  for (uint32_t t = 0; t < tokens; ++t) {
    rows.push_back(reference({sums.begin() + t * kColumns, sums.begin() + (t + 1) * kColumns}, gamma.data(),
                             beta.data()));
    statistics[t] = make_float2(static_cast<float>(rows[t].mean), static_cast<float>(rows[t].scale));
  }
  const auto unit = [](std::vector<double> v) {
    double squares = 0;
    for (const double x : v) squares += x * x;
    for (double& x : v) x /= std::sqrt(squares);
    return v;
  };
  const auto compare = [&](const std::vector<float>& got, size_t row, const std::vector<double>& expected) {
    for (uint32_t c = 0; c < kColumns; ++c) CHECK_NEAR(got[row * kColumns + c], expected[c], 2e-6);
  };
  in_every_schedule([&] {
    const DeviceArray<BatchHeader> batch(std::vector<BatchHeader>{header_of(tokens, sequences)});
    const DeviceArray<uint32_t> o(offsets);
    const DeviceArray<float> s(sums), g(gamma), b(beta), out(tokens * kColumns);
    const DeviceArray<float2> st(statistics);
    const TestStream stream;
    PoolArguments p = {batch.data(), o.data(), s.data(), st.data(), g.data(),
                       b.data(),     true,     false,    out.data()};
    const auto pool = [&] {
      check_cuda(launch(&pool_sequences<kVectors>, sequences + 2, kPoolThreads, pool_shared_bytes<kVectors>(),
                        stream, p),
                 "launch");
      stream.finish();
      return out.get();
    };
    for (const bool normalize : {false, true}) {
      p.normalize = normalize;
      p.mean = true;
      const auto means = pool();
      p.mean = false;
      const auto firsts = pool();
      check_cuda(launch(&finish_tokens<kVectors>, tokens, kRowKernelThreads, 0, stream, p), "launch");
      stream.finish();
      const auto all = out.get();
      for (uint32_t i = 0; i < sequences; ++i) {
        std::vector<double> mean(kColumns);
        for (uint32_t t = offsets[i]; t < offsets[i + 1]; ++t)
          for (uint32_t c = 0; c < kColumns; ++c)
            mean[c] += rows[t].normalised[c] / (offsets[i + 1] - offsets[i]);
        compare(means, i, normalize ? unit(mean) : mean);
        const auto& first = rows[offsets[i]].normalised;
        compare(firsts, i, normalize ? unit(first) : first);
      }
      for (uint32_t t = 0; t < tokens; ++t)
        compare(all, t, normalize ? unit(rows[t].normalised) : rows[t].normalised);
    }
  });
}

}  // namespace

TEST("cuda rows: embedding and LayerNorm, 128 columns, bf16") { check_embedding<Bf16, 1>(); }
TEST("cuda rows: embedding and LayerNorm, 384 columns, fp16") { check_embedding<Fp16, 3>(); }
TEST("cuda rows: embedding and LayerNorm, 1,024 columns, bf16") { check_embedding<Bf16, 8>(); }
TEST("cuda rows: mean, first and every row, 384 columns") { check_pooling<3>(); }
TEST("cuda rows: mean, first and every row, 768 columns") { check_pooling<6>(); }

}  // namespace gteway::cuda::test
