#include "kernels/encoder_case.hpp"
#include "kernels/encoder_tolerance.hpp"

using namespace gteway::test;
using namespace gteway::kernels;

namespace {

constexpr Activation kActivations[] = {Activation::kNone, Activation::kGeluErf, Activation::kGeluTanh,
                                       Activation::kSilu, Activation::kRelu};

double truth_of(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGeluErf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kRelu:
      return x < 0 ? 0 : x;
  }
  return x;
}

struct Product {
  PackedBytes* packed_bytes;
  PackLinear* pack;
  MultiplyLinear* multiply;
};
enum class Kind { kF32, kBf16, kInt8 };

Product product_of(const EncoderTable& table, Kind kind) {
  switch (kind) {
    case Kind::kF32:
      return {table.packed_bytes_f32, table.pack_linear_f32, table.linear_f32};
    case Kind::kBf16:
      return {table.packed_bytes_bf16, table.pack_linear_bf16, table.linear_bf16};
    case Kind::kInt8:
      break;
  }
  return {table.packed_bytes_int8, table.pack_linear_int8, table.linear_int8};
}

// A layer with weights, packed for two tables.
struct Layer {
  Layer(Kind kind_, size_t in, size_t out, const EncoderTable& table, const EncoderTable& scalar)
      : kind(kind_),
        shape{in, out, kind_ == Kind::kInt8 ? size_t{128} : size_t{0}},
        weight(out * in),
        bias(out),
        tested(product_of(table, kind_)),
        truth(product_of(scalar, kind_)),
        packed(1, tested.packed_bytes(shape), 0),
        packed_truth(1, truth.packed_bytes(shape), 0) {
    fill_normal(weight.data(), weight.size(), static_cast<uint32_t>(in * 31 + out), 0.05F);
    fill_normal(bias.data(), out, static_cast<uint32_t>(in + out * 17), 0.1F);
    // In two calls, the second panel and the rest first, as threads would.
    const size_t panel = kPanelColumns;
    if (out > panel)
      tested.pack(shape, weight.data() + panel * in, bias.data() + panel, panel, out - panel, packed.data());
    tested.pack(shape, weight.data(), bias.data(), 0, panel, packed.data());
    truth.pack(shape, weight.data(), bias.data(), 0, out, packed_truth.data());
    CHECK_EQ(tested.packed_bytes(shape) % 64, 0u);
    CHECK(packed.intact());
  }
  Kind kind;
  LinearShape shape;
  std::vector<float> weight, bias;
  Product tested, truth;
  Matrix<uint8_t> packed, packed_truth;
};

// Rows as the operand of a layer, and what they stand for in float32.
struct Input {
  Input(Kind kind, const LinearShape& shape, size_t rows_, const EncoderTable& scalar, uint32_t seed)
      : rows(rows_),
        values(rows_, shape.in),
        halves(rows_, shape.in),
        bytes(rows_, shape.in),
        quantization(rows_ * (shape.group == 0 ? 1 : (shape.in + shape.group - 1) / shape.group)) {
    values.fill(seed);
    if (kind == Kind::kF32) operand = {values.data(), values.stride(), nullptr};
    if (kind == Kind::kBf16) {
      for (size_t r = 0; r < rows; ++r)
        for (size_t k = 0; k < shape.in; ++k) {
          halves.row(r)[k] = to_bf16(values.row(r)[k]);
          values.row(r)[k] = from_bf16(halves.row(r)[k]);
        }
      operand = {halves.data(), halves.stride(), nullptr};
    }
    if (kind == Kind::kInt8) {
      operand = {bytes.data(), bytes.stride(), quantization.data()};
      scalar.quantize_u8(values.data(), values.stride(), rows, shape.in, shape.group, operand);
    }
  }
  Operand from(size_t row, const LinearShape& shape) const {
    const size_t groups = shape.group == 0 ? 0 : (shape.in + shape.group - 1) / shape.group;
    return {static_cast<char*>(operand.data) + row * operand.stride, operand.stride,
            operand.quantization == nullptr ? nullptr : operand.quantization + row * groups};
  }
  size_t rows;
  Matrix<float> values;
  Matrix<uint16_t> halves;
  Matrix<uint8_t> bytes;
  std::vector<Quantization> quantization;
  Operand operand{};
};

// Σ |x w| + |b| of one element: what errors are relative to.
double magnitude(const Layer& layer, Input& x, size_t row, size_t column) {
  double sum = std::fabs(layer.bias[column]);
  for (size_t k = 0; k < layer.shape.in; ++k)
    sum += std::fabs(static_cast<double>(x.values.row(row)[k]) * layer.weight[column * layer.shape.in + k]);
  return sum;
}

void check_close(float y, float expected, double tolerance, size_t rows, const LinearShape& shape, size_t r,
                 size_t c) {
  if (!(std::fabs(static_cast<double>(y) - expected) <= tolerance))
    fail(__FILE__, __LINE__,
         show(rows) + " rows, " + show(shape.in) + " → " + show(shape.out) + ", row " + show(r) + " column " +
             show(c) + ": " + show(y) + " is not scalar's " + show(expected) + ", off by more than " +
             show(tolerance));
}

// Columns [first, first + columns) of every kind of result, against the scalar kernel.
void check_results(Layer& layer, Input& x, size_t first, size_t columns) {
  const size_t rows = x.rows;
  for (const Activation activation : kActivations) {
    const double slope = activation == Activation::kNone ? 1 : kGeluSlope;
    const double gelu = activation == Activation::kNone ? 0 : kGeluError;
    Matrix<float> y(rows, layer.shape.out), expected(rows, layer.shape.out);
    const auto result = [&](auto& to, ResultKind kind) {
      return Result{to.data(), to.stride(), kind, activation};
    };
    layer.tested.multiply(layer.shape, layer.packed.data(), x.operand, rows, first, columns,
                          result(y, ResultKind::kF32));
    layer.truth.multiply(layer.shape, layer.packed_truth.data(), x.operand, rows, first, columns,
                         result(expected, ResultKind::kF32));
    CHECK(y.intact(first, columns));
    Matrix<float> added(rows, layer.shape.out);
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = first; c < first + columns; ++c) added.row(r)[c] = 0.25F;
    layer.tested.multiply(layer.shape, layer.packed.data(), x.operand, rows, first, columns,
                          result(added, ResultKind::kAddF32));
    CHECK(added.intact(first, columns));
    Matrix<float> gated(rows, layer.shape.out);
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = first; c < first + columns; ++c) gated.row(r)[c] = -3;
    layer.tested.multiply(layer.shape, layer.packed.data(), x.operand, rows, first, columns,
                          result(gated, ResultKind::kTimesF32));
    CHECK(gated.intact(first, columns));
    Matrix<uint16_t> halves(rows, layer.shape.out);
    layer.tested.multiply(layer.shape, layer.packed.data(), x.operand, rows, first, columns,
                          result(halves, ResultKind::kBf16));
    CHECK(halves.intact(first, columns));
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = first; c < first + columns; ++c) {
        const float want = expected.row(r)[c];
        const double tolerance = slope * kSumError * magnitude(layer, x, r, c) + gelu;
        check_close(y.row(r)[c], want, tolerance, rows, layer.shape, r, c);
        CHECK_EQ(added.row(r)[c], 0.25F + y.row(r)[c]);
        CHECK_EQ(gated.row(r)[c], -3 * y.row(r)[c]);
        if (std::fabs(y.row(r)[c]) > 1e-30F) CHECK_EQ(halves.row(r)[c], to_bf16(y.row(r)[c]));
      }
  }
}

void check_shapes(Kind kind, const EncoderTable& table, const EncoderTable& scalar) {
  for (const auto& [in, out] :
       {std::pair<size_t, size_t>{32, 32}, {96, 64}, {160, 96}, {384, 64}, {1024, 32}}) {
    Layer layer(kind, in, out, table, scalar);
    for (size_t rows = 0; rows <= (in <= 96 ? 40u : 17u); ++rows) {
      Input x(kind, layer.shape, rows, scalar, static_cast<uint32_t>(rows * 1000));
      check_results(layer, x, 0, out);
    }
    Input x(kind, layer.shape, 5, scalar, 5);
    for (size_t first = 0; first < out; first += kPanelColumns) check_results(layer, x, first, kPanelColumns);
  }
}

// Each row alone, rows in any company and columns in any split give the same bits.
void check_invariance(Kind kind, const EncoderTable& table, const EncoderTable& scalar) {
  Layer layer(kind, 384, 128, table, scalar);
  Input x(kind, layer.shape, 61, scalar, 99);
  const auto result = [](auto& to, size_t row) {
    return Result{to.row(row), to.stride(), ResultKind::kF32, Activation::kGeluErf};
  };
  Matrix<float> whole(61, 128);
  layer.tested.multiply(layer.shape, layer.packed.data(), x.operand, 61, 0, 128, result(whole, 0));
  for (size_t height = 1; height <= 40; ++height) {
    Matrix<float> parts(61, 128);
    for (size_t row = 0; row < 61; row += height)
      for (size_t column = 0; column < 128; column += 32 * (1 + height % 3)) {
        const size_t columns = std::min(32 * (1 + height % 3), 128 - column);
        layer.tested.multiply(layer.shape, layer.packed.data(), x.from(row, layer.shape),
                              std::min(height, 61 - row), column, columns, result(parts, row));
      }
    for (size_t r = 0; r < 61; ++r) CHECK(std::memcmp(parts.row(r), whole.row(r), 128 * sizeof(float)) == 0);
  }
}

// A NaN in one row, or in one column of the weights, goes nowhere else.
void check_nan(Kind kind, const EncoderTable& table, const EncoderTable& scalar) {
  Layer layer(kind, 64, 64, table, scalar);
  Matrix<float> values(20, 64);
  values.fill(3);
  values.row(7)[40] = kNan;
  Matrix<uint16_t> halves(20, 64);
  Matrix<uint8_t> bytes(20, 64);
  std::vector<Quantization> quantization(20);
  Operand operand{values.data(), values.stride(), nullptr};
  if (kind == Kind::kBf16) {
    for (size_t r = 0; r < 20; ++r)
      for (size_t k = 0; k < 64; ++k)
        halves.row(r)[k] =
            values.row(r)[k] != values.row(r)[k] ? uint16_t{0x7fc0} : to_bf16(values.row(r)[k]);
    operand = {halves.data(), halves.stride(), nullptr};
  }
  if (kind == Kind::kInt8) {
    operand = {bytes.data(), bytes.stride(), quantization.data()};
    table.quantize_u8(values.data(), values.stride(), 20, 64, layer.shape.group, operand);
  }
  layer.weight[33 * 64 + 5] = kNan;
  layer.tested.pack(layer.shape, layer.weight.data(), layer.bias.data(), 0, 64, layer.packed.data());
  for (const Activation activation : kActivations) {
    Matrix<float> y(20, 64);
    layer.tested.multiply(layer.shape, layer.packed.data(), operand, 20, 0, 64,
                          {y.data(), y.stride(), ResultKind::kF32, activation});
    for (size_t r = 0; r < 20; ++r)
      for (size_t c = 0; c < 64; ++c) CHECK_EQ(std::isnan(y.row(r)[c]), r == 7 || c == 33);
  }
}

}  // namespace

ENCODER_TEST("linear_f32 is scalar's") { check_shapes(Kind::kF32, kernels, scalar); }
ENCODER_TEST("linear_bf16 is scalar's") { check_shapes(Kind::kBf16, kernels, scalar); }
ENCODER_TEST("linear_int8 is scalar's") { check_shapes(Kind::kInt8, kernels, scalar); }

ENCODER_TEST("linear_f32: a row has the same bits in any company") {
  check_invariance(Kind::kF32, kernels, scalar);
}
ENCODER_TEST("linear_bf16: a row has the same bits in any company") {
  check_invariance(Kind::kBf16, kernels, scalar);
}
ENCODER_TEST("linear_int8: a row has the same bits in any company") {
  check_invariance(Kind::kInt8, kernels, scalar);
}

ENCODER_TEST("linear_f32: NaN stays in its row and column") { check_nan(Kind::kF32, kernels, scalar); }
ENCODER_TEST("linear_bf16: NaN stays in its row and column") { check_nan(Kind::kBf16, kernels, scalar); }
ENCODER_TEST("linear_int8: NaN stays in its row and column") { check_nan(Kind::kInt8, kernels, scalar); }

ENCODER_TEST("linear_f32: every activation over its whole range") {
  // in = out = 32, W the identity: y = gelu(x).
  const LinearShape shape{32, 32, 0};
  std::vector<float> identity(32 * 32), bias(32);
  for (size_t i = 0; i < 32; ++i) identity[i * 33] = 1;
  Matrix<uint8_t> packed(1, kernels.packed_bytes_f32(shape), 0);
  kernels.pack_linear_f32(shape, identity.data(), bias.data(), 0, 32, packed.data());
  Matrix<float> x(1000, 32), y(1000, 32);
  for (size_t i = 0; i < 32000; ++i)
    x.row(i / 32)[i % 32] = (static_cast<float>(i) - 16000) / 1600;  // -10 to 10
  const float far[] = {-1e30F, -1000, -37.5F, 37.5F, 1000, 1e30F};
  std::copy(std::begin(far), std::end(far), x.row(0));
  for (const Activation activation : kActivations) {
    kernels.linear_f32(shape, packed.data(), {x.data(), x.stride(), nullptr}, 1000, 0, 32,
                       {y.data(), y.stride(), ResultKind::kF32, activation});
    for (size_t i = 0; i < 32000; ++i) {
      const double v = x.row(i / 32)[i % 32];
      const double want = truth_of(activation, v);
      CHECK_NEAR(y.row(i / 32)[i % 32], want, kGeluError + std::fabs(want) * 0x1p-22);
    }
  }
}

ENCODER_TEST("linear_int8: a column of zeros and a constant row") {
  const LinearShape shape{64, 32, 64};
  std::vector<float> weight(32 * 64, 0.5F), bias(32, 1.0F);
  std::fill_n(weight.begin(), 64, 0.0F);
  Matrix<uint8_t> packed(1, kernels.packed_bytes_int8(shape), 0);
  kernels.pack_linear_int8(shape, weight.data(), bias.data(), 0, 32, packed.data());
  Matrix<float> x(2, 64), y(2, 32);
  std::fill_n(x.row(0), 64, 3.0F);
  std::fill_n(x.row(1), 64, 0.0F);
  Matrix<uint8_t> bytes(2, 64);
  Quantization quantization[2];
  const Operand operand{bytes.data(), bytes.stride(), quantization};
  kernels.quantize_u8(x.data(), x.stride(), 2, 64, 64, operand);
  kernels.linear_int8(shape, packed.data(), operand, 2, 0, 32,
                      {y.data(), y.stride(), ResultKind::kF32, Activation::kNone});
  CHECK_EQ(y.row(0)[0], 1.0F);
  CHECK_NEAR(y.row(0)[1], 1 + 64 * 3 * 0.5, 1e-4);
  for (size_t c = 0; c < 32; ++c) CHECK_EQ(y.row(1)[c], 1.0F);
}
