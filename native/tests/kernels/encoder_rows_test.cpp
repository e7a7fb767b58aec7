#include "kernels/encoder_case.hpp"
#include "kernels/encoder_tolerance.hpp"

using namespace gteway::test;
using namespace gteway::kernels;

namespace {

const size_t kDims[] = {32, 64, 96, 160, 384, 768, 1024};

struct Norm {
  explicit Norm(size_t dims) : gamma(dims), beta(dims) {
    fill_normal(gamma.data(), dims, 1, 0.5F);
    fill_normal(beta.data(), dims, 2);
  }
  LayerNormalization get() const { return {gamma.data(), beta.data(), 1e-12F}; }
  std::vector<float> gamma, beta;
};

void check_rows(Matrix<float>& y, Matrix<float>& expected, double tolerance) {
  for (size_t r = 0; r < y.rows(); ++r)
    for (size_t d = 0; d < y.columns(); ++d) CHECK_NEAR(y.row(r)[d], expected.row(r)[d], tolerance);
}

}  // namespace

ENCODER_TEST("normalize_rows is scalar's, and its operands are the row's") {
  for (const size_t dims : kDims)
    for (const size_t rows : {size_t{0}, size_t{1}, size_t{2}, size_t{13}}) {
      const Norm norm(dims);
      const size_t group = 128, groups = (dims + group - 1) / group;
      Matrix<float> x(rows, dims), y(rows, dims), z(rows, dims), expected(rows, dims);
      for (Matrix<float>* m : {&x, &y, &z, &expected}) {
        m->fill(7, 3);
        for (size_t r = 0; r < rows; ++r)
          for (size_t d = 0; d < dims; ++d) m->row(r)[d] += 5;
      }
      scalar.normalize_rows_f32(expected.data(), expected.stride(), rows, dims, norm.get());
      kernels.normalize_rows_f32(x.data(), x.stride(), rows, dims, norm.get());
      CHECK(x.intact());
      check_rows(x, expected, kNormError * 5);

      Matrix<uint16_t> halves(rows, dims);
      kernels.normalize_rows_bf16(y.data(), y.stride(), rows, dims, norm.get(),
                                  {halves.data(), halves.stride(), nullptr});
      CHECK(y.intact() && halves.intact());
      Matrix<uint8_t> bytes(rows, dims);
      std::vector<Quantization> q(rows * groups);
      kernels.normalize_rows_u8(z.data(), z.stride(), rows, dims, norm.get(), group,
                                {bytes.data(), bytes.stride(), q.data()});
      CHECK(z.intact() && bytes.intact());
      check_rows(y, expected, kNormError * 5);
      check_rows(z, expected, kNormError * 5);
      for (size_t r = 0; r < rows; ++r)
        for (size_t d = 0; d < dims; ++d) {
          CHECK_EQ(halves.row(r)[d], to_bf16(y.row(r)[d]));
          const Quantization at = q[r * groups + d / group];
          CHECK_NEAR(static_cast<double>(at.scale) * bytes.row(r)[d] + at.offset, z.row(r)[d],
                     0.5001 * at.scale + 1e-6);
        }
    }
}

ENCODER_TEST("normalize_rows: NaN stays in its row, a constant row becomes beta") {
  const Norm norm(64);
  Matrix<float> x(3, 64);
  x.fill(5);
  x.row(1)[63] = kNan;
  std::fill_n(x.row(2), 64, 4.0F);
  kernels.normalize_rows_f32(x.data(), x.stride(), 3, 64, norm.get());
  for (size_t d = 0; d < 64; ++d) {
    CHECK(!std::isnan(x.row(0)[d]));
    CHECK(std::isnan(x.row(1)[d]));
    CHECK_EQ(x.row(2)[d], norm.beta[d]);
  }
}

ENCODER_TEST("quantize_u8 is half a step off at most, with the extremes exact") {
  for (const size_t dims : kDims)
    for (const size_t group : {size_t{64}, size_t{128}, size_t{384}}) {
      const size_t rows = 9, groups = (dims + group - 1) / group;
      Matrix<float> x(rows, dims);
      x.fill(11, 2);
      std::fill_n(x.row(4), dims, -1.5F);
      Matrix<uint8_t> bytes(rows, dims);
      std::vector<Quantization> q(rows * groups);
      kernels.quantize_u8(x.data(), x.stride(), rows, dims, group, {bytes.data(), bytes.stride(), q.data()});
      CHECK(bytes.intact());
      for (size_t r = 0; r < rows; ++r)
        for (size_t d = 0; d < dims; ++d) {
          const Quantization at = q[r * groups + d / group];
          CHECK_NEAR(static_cast<double>(at.scale) * bytes.row(r)[d] + at.offset, x.row(r)[d],
                     0.5001 * at.scale + 1e-6);
        }
    }
}

ENCODER_TEST("quantize_u8: what is not finite poisons its group's scale alone") {
  for (const float bad : {kNan, kInf, -kInf})
    for (const size_t at : {size_t{0}, size_t{17}, size_t{63}}) {
      Matrix<float> x(2, 192);
      x.fill(13);
      x.row(0)[64 + at] = bad;
      Matrix<uint8_t> bytes(2, 192);
      Quantization q[6];
      kernels.quantize_u8(x.data(), x.stride(), 2, 192, 64, {bytes.data(), bytes.stride(), q});
      for (size_t i = 0; i < 6; ++i) CHECK_EQ(std::isnan(q[i].scale), i == 1);
    }
}

ENCODER_TEST("embed adds the row of a word to that of its position") {
  for (const size_t dims : kDims) {
    const size_t vocabulary = 11, tokens = 7;
    Matrix<float> words(1, vocabulary * dims, 0), positions(1, tokens * dims, 0);
    words.fill(17);
    positions.fill(19);
    std::vector<uint16_t> halves(vocabulary * dims);
    for (size_t i = 0; i < halves.size(); ++i) halves[i] = to_bf16(words.data()[i]);
    const int32_t ids[tokens] = {0, 10, 3, 3, 7, 1, 9};
    Matrix<float> x(tokens, dims), y(tokens, dims);
    kernels.embed_f32(ids, tokens, words.data(), positions.data(), dims, x.data(), x.stride());
    kernels.embed_bf16(ids, tokens, halves.data(), positions.data(), dims, y.data(), y.stride());
    CHECK(x.intact() && y.intact());
    for (size_t i = 0; i < tokens; ++i)
      for (size_t d = 0; d < dims; ++d) {
        const size_t at = static_cast<size_t>(ids[i]) * dims + d;
        CHECK_EQ(x.row(i)[d], words.data()[at] + positions.data()[i * dims + d]);
        CHECK_EQ(y.row(i)[d], from_bf16(halves[at]) + positions.data()[i * dims + d]);
      }
  }
}

ENCODER_TEST("turn_heads turns dimensions d and d + half of every head, and is scalar's") {
  for (const size_t head_size : {size_t{32}, size_t{64}})
    for (const size_t rows : {size_t{0}, size_t{1}, size_t{7}}) {
      const size_t heads = 3, columns = heads * head_size;
      std::vector<float> turns(rows * head_size);
      for (size_t i = 0; i < turns.size(); ++i)
        turns[i] = i % head_size < head_size / 2
                       ? std::cos(static_cast<float>(i))
                       : std::sin(static_cast<float>(i) - 0.5F * static_cast<float>(head_size));
      Matrix<float> x(rows, columns), y(rows, columns);
      x.fill(3);
      y.fill(3);
      kernels.turn_heads_f32(y.data(), y.stride(), rows, heads, head_size, turns.data());
      CHECK(y.intact());
      Matrix<uint16_t> halves(rows, columns), expected(rows, columns);
      for (size_t r = 0; r < rows; ++r)
        for (size_t c = 0; c < columns; ++c) halves.row(r)[c] = expected.row(r)[c] = to_bf16(x.row(r)[c]);
      kernels.turn_heads_bf16(halves.data(), halves.stride(), rows, heads, head_size, turns.data());
      scalar.turn_heads_bf16(expected.data(), expected.stride(), rows, heads, head_size, turns.data());
      CHECK(halves.intact());
      for (size_t r = 0; r < rows; ++r)
        for (size_t c = 0; c < columns; ++c) {
          const size_t half = head_size / 2, d = c % half, other = c % head_size < half ? c + half : c - half;
          const double cosine = turns[r * head_size + d], sine = turns[r * head_size + half + d];
          const double sign = c % head_size < half ? -1 : 1;
          CHECK_NEAR(y.row(r)[c], x.row(r)[c] * cosine + sign * x.row(r)[other] * sine, 1e-6);
          CHECK_NEAR(from_bf16(halves.row(r)[c]), from_bf16(expected.row(r)[c]),
                     0x1p-7 * std::fabs(from_bf16(expected.row(r)[c])) + 1e-6);
        }
    }
}
