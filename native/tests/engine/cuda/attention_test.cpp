#include "engine/cuda/device/attention.cuh"

#include <algorithm>

#include "engine/cuda/device/attention_items.hpp"
#include "engine/cuda/device_case.hpp"

namespace gteway::cuda::test {
namespace {

template <class T>
struct Sequences {
  uint32_t heads, head_size;
  std::vector<uint32_t> offsets{0};
  std::vector<uint16_t> qkv;

  Sequences(uint32_t h, uint32_t d, const std::vector<uint32_t>& lengths, uint32_t seed)
      : heads(h), head_size(d) {
    for (const uint32_t length : lengths) offsets.push_back(offsets.back() + length);
    Random random(seed);
    qkv = random.rounded_normals<T>(size_t{3} * offsets.back() * h * d, 1.5F);
  }

  double at(uint32_t token, uint32_t matrix, uint32_t head, uint32_t d) const {
    const size_t hidden = size_t{heads} * head_size;
    return widen(T{qkv[token * 3 * hidden + matrix * hidden + head * head_size + d]});
  }

  std::vector<double> expected(uint32_t sequence, uint32_t query, uint32_t head) const {
    const uint32_t first = offsets[sequence], last = offsets[sequence + 1];
    std::vector<double> weights;
    for (uint32_t key = first; key < last; ++key) {
      double dot = 0;
      for (uint32_t d = 0; d < head_size; ++d) dot += at(query, 0, head, d) * at(key, 1, head, d);
      weights.push_back(dot / std::sqrt(head_size));
    }
    const double highest = *std::max_element(weights.begin(), weights.end());
    double sum = 0;
    for (double& w : weights) sum += w = std::exp(w - highest);
    std::vector<double> out(head_size);
    for (uint32_t key = first; key < last; ++key)
      for (uint32_t d = 0; d < head_size; ++d) out[d] += weights[key - first] / sum * at(key, 2, head, d);
    return out;
  }
};

template <class T, uint32_t kHeadSize>
std::vector<uint16_t> run(const Sequences<T>& s) {
  BatchHeader header = {};
  header.tokens = s.offsets.back();
  header.sequences = static_cast<uint32_t>(s.offsets.size() - 1);
  std::vector<AttentionItem> list(attention_item_bound(s.offsets));
  fill_attention_items(s.offsets, list, header);
  const DeviceArray<BatchHeader> batch(std::vector<BatchHeader>{header});
  const DeviceArray<AttentionItem> items(list);
  const DeviceArray<uint16_t> qkv(s.qkv), out(size_t{header.tokens} * s.heads * kHeadSize);
  const float scale = 1.44269504F / std::sqrt(static_cast<float>(kHeadSize));
  const AttentionArguments arguments = {batch.data(), items.data(), qkv.data(), s.heads, scale, out.data()};
  const TestStream stream;
  check_cuda(launch(&attend<T, kHeadSize>, attention_blocks(header, s.heads) + 3, kAttentionThreads,
                    attention_shared_bytes<kHeadSize>(), stream, arguments),
             "launch");
  stream.finish();
  return out.get();
}

template <class T, uint32_t kHeadSize>
void check(uint32_t heads, const std::vector<uint32_t>& lengths, uint32_t seed) {
  need_device();
  const Sequences<T> s(heads, kHeadSize, lengths, seed);
  in_every_schedule([&] {
    const std::vector<uint16_t> got = run<T, kHeadSize>(s);
    double worst = 0;
    for (uint32_t i = 0; i < lengths.size(); ++i)
      for (uint32_t token = s.offsets[i]; token < s.offsets[i + 1]; ++token)
        for (uint32_t head = 0; head < heads; ++head) {
          const std::vector<double> expected = s.expected(i, token, head);
          for (uint32_t d = 0; d < kHeadSize; ++d) {
            const double error =
                std::fabs(widen(T{got[(size_t{token} * heads + head) * kHeadSize + d]}) - expected[d]);
            worst = std::isnan(error) ? INFINITY : std::max(worst, error);
          }
        }
    // Weights and result are each rounded once; values are up to about 6.
    CHECK_NEAR(worst, 0, 4 * unit_roundoff<T>());
  });
}

}  // namespace

TEST("cuda attention: head size 32, texts of every class, bf16") {
  check<Bf16, 32>(4, {1, 16, 17, 32, 33, 64, 65, 2, 150}, 1);
}
TEST("cuda attention: head size 64, texts of every class, fp16") {
  check<Fp16, 64>(2, {64, 3, 129, 16, 31, 48, 128}, 2);
}
TEST("cuda attention: a number of heads that does not fill blocks, fp16") {
  check<Fp16, 32>(3, {5, 20, 9, 70}, 3);
}

TEST("cuda attention: a text's rows do not depend on the batch, to the last bit") {
  need_device();
  const Sequences<Bf16> all(2, 32, {40, 7, 100, 25}, 4);
  const std::vector<uint16_t> together = run<Bf16, 32>(all);
  for (uint32_t i = 0; i < 4; ++i) {
    Sequences<Bf16> alone(2, 32, {all.offsets[i + 1] - all.offsets[i]}, 0);
    alone.qkv.assign(all.qkv.begin() + all.offsets[i] * 192, all.qkv.begin() + all.offsets[i + 1] * 192);
    const std::vector<uint16_t> got = run<Bf16, 32>(alone);
    CHECK(std::equal(got.begin(), got.end(), together.begin() + all.offsets[i] * 64));
  }
}

}  // namespace gteway::cuda::test
