#include "kernels/encoder_case.hpp"
#include "kernels/encoder_tolerance.hpp"

using namespace gteway::test;
using namespace gteway::kernels;

namespace {

template <class T>
T narrow(float x) {
  if constexpr (std::is_same_v<T, float>)
    return x;
  else
    return std::isnan(x) ? uint16_t{0x7fc0} : to_bf16(x);
}
float widen(float x) { return x; }
float widen(uint16_t x) { return from_bf16(x); }

template <class T>
struct Kernel {
  explicit Kernel(const EncoderTable& table) {
    if constexpr (std::is_same_v<T, float>) {
      scratch = table.attention_scratch_f32;
      attend = table.attention_f32;
    } else {
      scratch = table.attention_scratch_bf16;
      attend = table.attention_bf16;
    }
  }
  AttentionScratch* scratch;
  Attend* attend;
};

// Two heads beside each other, as in a layer, of which the second is computed.
template <class T>
struct Sequence {
  Sequence(size_t tokens_, size_t head_size_, uint32_t seed, float sharpness = 1)
      : tokens(tokens_), head_size(head_size_), qkv(tokens_, 6 * head_size_), out(tokens_, 2 * head_size_) {
    std::vector<float> x(6 * head_size);
    for (size_t i = 0; i < tokens; ++i) {
      fill_normal(x.data(), x.size(), seed + static_cast<uint32_t>(i));
      for (size_t d = 0; d < x.size(); ++d)
        qkv.row(i)[d] =
            narrow<T>(x[d] * (d < 2 * head_size ? sharpness / std::sqrt(static_cast<float>(head_size)) : 1));
    }
  }
  T* q(size_t i) { return qkv.row(i) + head_size; }
  T* k(size_t i) { return qkv.row(i) + 3 * head_size; }
  T* v(size_t i) { return qkv.row(i) + 5 * head_size; }
  T* y(size_t i) { return out.row(i) + head_size; }

  void run(const EncoderTable& table) {
    const Kernel<T> kernel(table);
    Matrix<uint8_t> scratch(1, kernel.scratch(tokens, head_size), 0);
    AttentionHead head{q(0), k(0), v(0), qkv.stride(), tokens, head_size, y(0), out.stride()};
    head.reach = reach;
    if (!bias.empty()) head.bias = bias.data() + tokens - 1;
    kernel.attend(head, scratch.data());
    CHECK(out.intact(head_size, head_size));
    CHECK(scratch.intact());
  }
  // A bias for each distance, ending where kernels may read to.
  void add_bias(uint32_t seed) {
    bias.resize(2 * tokens - 1 + 32, kNan);
    fill_normal(bias.data(), 2 * tokens - 1, seed, 3);
  }
  size_t tokens, head_size;
  Matrix<T> qkv, out;
  size_t reach = SIZE_MAX;
  std::vector<float> bias;
};

// The softmax-weighted mean of the values in float64.
template <class T>
std::vector<double> truth(Sequence<T>& s, size_t query) {
  std::vector<double> scores(s.tokens), out(s.head_size);
  double largest = -INFINITY, total = 0;
  for (size_t j = 0; j < s.tokens; ++j) {
    if ((j < query ? query - j : j - query) > s.reach) {
      scores[j] = -INFINITY;
      continue;
    }
    if (!s.bias.empty()) scores[j] = s.bias[s.tokens - 1 + j - query];
    for (size_t d = 0; d < s.head_size; ++d)
      scores[j] += static_cast<double>(widen(s.q(query)[d])) * widen(s.k(j)[d]);
    largest = std::max(largest, scores[j]);
  }
  for (double& score : scores) total += score = std::exp2(score - largest);
  for (size_t j = 0; j < s.tokens; ++j)
    for (size_t d = 0; d < s.head_size; ++d) out[d] += scores[j] / total * widen(s.v(j)[d]);
  return out;
}

template <class T>
void check_attention(const EncoderTable& table, size_t tokens, size_t head_size, float sharpness,
                     double tolerance, size_t reach = SIZE_MAX, bool has_bias = false) {
  Sequence<T> s(tokens, head_size, static_cast<uint32_t>(tokens * 64 + head_size), sharpness);
  s.reach = reach;
  if (has_bias) s.add_bias(static_cast<uint32_t>(tokens));
  s.run(table);
  double largest = 0;
  for (size_t j = 0; j < tokens; ++j)
    for (size_t d = 0; d < head_size; ++d)
      largest = std::max(largest, std::fabs(static_cast<double>(widen(s.v(j)[d]))));
  for (size_t i = 0; i < tokens; ++i) {
    const std::vector<double> want = truth(s, i);
    for (size_t d = 0; d < head_size; ++d) CHECK_NEAR(widen(s.y(i)[d]), want[d], tolerance * largest);
  }
}

template <class T>
void check_lengths(const EncoderTable& table, double tolerance) {
  for (const size_t head_size : {size_t{32}, size_t{64}}) {
    for (size_t tokens = 1; tokens <= 130; tokens += tokens < 36 ? 1 : 7)
      check_attention<T>(table, tokens, head_size, 1, tolerance);
    check_attention<T>(table, 513, head_size, 1, tolerance);
    // Sharp softmaxes: differences of scores up to some hundreds.
    for (const size_t tokens : {size_t{3}, size_t{33}, size_t{70}})
      check_attention<T>(table, tokens, head_size, 100, tolerance * 20);
  }
}

template <class T>
void check_places(const EncoderTable& table, double tolerance) {
  for (const size_t head_size : {size_t{32}, size_t{64}})
    for (const size_t tokens : {1, 2, 15, 16, 17, 31, 32, 33, 47, 64, 65, 130, 257}) {
      check_attention<T>(table, tokens, head_size, 1, tolerance, SIZE_MAX, true);
      for (const size_t reach : {0, 1, 7, 16, 31, 32, 33, 64, 129, 500})
        check_attention<T>(table, tokens, head_size, 1, tolerance, reach, reach % 2 == 1);
    }
}

template <class T>
void check_hostile_scores(const EncoderTable& table) {
  // All scores huge and negative: only the maximum's subtraction keeps them from vanishing, and the padding's
  // zero scores must not win over them.
  Sequence<T> s(21, 32, 1);
  for (size_t i = 0; i < 21; ++i)
    for (size_t d = 0; d < 32; ++d) {
      s.q(i)[d] = narrow<T>(30);
      s.k(i)[d] = narrow<T>(-30);
      s.v(i)[d] = narrow<T>(2);
    }
  s.run(table);
  for (size_t i = 0; i < 21; ++i)
    for (size_t d = 0; d < 32; ++d) CHECK_NEAR(widen(s.y(i)[d]), 2, 1e-5);
  // A NaN in one query stays there; one in a key reaches every query of the sequence.
  Sequence<T> t(21, 32, 2);
  t.q(4)[0] = narrow<T>(kNan);
  t.run(table);
  for (size_t i = 0; i < 21; ++i)
    for (size_t d = 0; d < 32; ++d) CHECK_EQ(std::isnan(widen(t.y(i)[d])), i == 4);
  t.k(20)[31] = narrow<T>(kNan);
  t.run(table);
  for (size_t i = 0; i < 21; ++i)
    for (size_t d = 0; d < 32; ++d) CHECK(std::isnan(widen(t.y(i)[d])));
}

}  // namespace

ENCODER_TEST("attention_f32 is the softmax-weighted mean of the values") {
  check_lengths<float>(kernels, kAttentionError);
}
ENCODER_TEST("attention_bf16 is the softmax-weighted mean of the values") {
  check_lengths<uint16_t>(kernels, kAttentionErrorBf16);
}
ENCODER_TEST("attention_f32: biases by distance, and keys out of reach are not seen") {
  check_places<float>(kernels, kAttentionError);
}
ENCODER_TEST("attention_bf16: biases by distance, and keys out of reach are not seen") {
  check_places<uint16_t>(kernels, kAttentionErrorBf16);
}
ENCODER_TEST("attention_f32 takes any scores") { check_hostile_scores<float>(kernels); }
ENCODER_TEST("attention_bf16 takes any scores") { check_hostile_scores<uint16_t>(kernels); }
