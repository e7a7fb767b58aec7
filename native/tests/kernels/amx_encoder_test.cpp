// The AMX kernels of the encoder against the scalar ones: on the processor where it has AMX, emulated
// elsewhere. What holds for every instruction set is tested with the others; here is what tiles could get
// wrong.
#include "kernels/amx_emulator.hpp"

#if defined(GTEWAY_AMX_EMULATOR)

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <span>
#include <thread>

#include "base/error.hpp"
#include "cpu/features.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/kernel_case.hpp"

using namespace gteway;
using namespace gteway::kernels;
using namespace gteway::test;

namespace {

const EncoderTable& table_of(std::string_view isa) {
  for (const Implementation& implementation : implementations())
    if (implementation.isa == isa) return *implementation.encoder;
  throw Error(ErrorCode::kInternal, "no such table");
}

// Runs `body` with the kernels of AMX, and checks that no tile is in use behind it.
void with_amx(const std::function<void(const EncoderTable& tiles, const EncoderTable& scalar)>& body) {
  if (amx::hardware()) return body(table_of("amx"), table_of("scalar"));
  if (const char* reason = amx::unavailable()) SKIP(reason);
  const cpu::Features& has = cpu::features();
  if (!has.avx512bw || !has.avx512dq || !has.avx512vl || !has.avx512_bf16)
    SKIP("tiles can be emulated, but what the kernels do besides needs AVX-512 with BF16");
  const amx::Emulator emulator;
  body(table_of("amx"), table_of("scalar"));
  CHECK(!amx::Emulator::registers().configured());
}

// 64-byte aligned elements between guards, in rows of `stride` bytes.
class Matrix {
 public:
  Matrix(size_t rows, size_t stride, uint8_t fill = 0xa5) : rows_(rows), stride_(stride) {
    storage_.reset(static_cast<uint8_t*>(std::aligned_alloc(64, kGuard + rows * stride + kGuard)));
    std::fill_n(storage_.get(), kGuard + rows * stride + kGuard, fill);
  }
  uint8_t* data() { return storage_.get() + kGuard; }
  template <class T>
  T* row(size_t r) {
    return reinterpret_cast<T*>(data() + r * stride_);
  }
  size_t stride() const { return stride_; }
  // Every byte around [rows, used bytes] is as it was.
  bool intact(size_t used, uint8_t fill = 0xa5) {
    const auto untouched = [&](const uint8_t* p, size_t count) {
      return std::all_of(p, p + count, [fill](uint8_t byte) { return byte == fill; });
    };
    for (size_t r = 0; r < rows_; ++r)
      if (!untouched(data() + r * stride_ + used, stride_ - used)) return false;
    return untouched(storage_.get(), kGuard) && untouched(data() + rows_ * stride_, kGuard);
  }

 private:
  static constexpr size_t kGuard = 128;
  struct Free {
    void operator()(uint8_t* p) const { std::free(p); }
  };
  size_t rows_, stride_;
  std::unique_ptr<uint8_t, Free> storage_;
};

uint16_t bf16_of(float x) {
  const uint32_t bits = bits_of(x);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
float of_bf16(uint16_t x) { return float_of(uint32_t{x} << 16); }

enum class Kind { bf16, int8 };

struct Problem {
  Problem(Kind kind_, LinearShape shape_, size_t rows_, uint32_t seed = 1)
      : kind(kind_),
        shape(shape_),
        rows(rows_),
        weight(shape.in * shape.out),
        bias(shape.out),
        x(rows, (shape.in * (kind == Kind::bf16 ? 2 : 1) + 63) / 64 * 64 + 64) {
    fill_normal(weight.data(), weight.size(), seed, 1 / std::sqrt(static_cast<float>(shape.in)));
    fill_normal(bias.data(), bias.size(), seed + 1);
    std::vector<float> values(shape.in);
    const size_t groups = kind == Kind::int8 ? (shape.in + shape.group - 1) / shape.group : 0;
    quantization.resize(rows * groups);
    for (size_t r = 0; r < rows; ++r) {
      fill_normal(values.data(), values.size(), seed + 2 + static_cast<uint32_t>(r));
      for (size_t k = 0; k < shape.in; ++k) {
        if (kind == Kind::bf16)
          x.row<uint16_t>(r)[k] = bf16_of(values[k]);
        else
          x.row<uint8_t>(r)[k] = static_cast<uint8_t>(std::clamp(128 + 50 * values[k], 0.0F, 255.0F));
      }
      for (size_t g = 0; g < groups; ++g)
        quantization[r * groups + g] = {.scale = 0.02F + 0.001F * static_cast<float>(r % 7 + g),
                                        .offset = -2.5F - 0.1F * static_cast<float>(g)};
    }
  }

  Matrix packed(const EncoderTable& table) const {
    const auto bytes = kind == Kind::bf16 ? table.packed_bytes_bf16 : table.packed_bytes_int8;
    const auto pack = kind == Kind::bf16 ? table.pack_linear_bf16 : table.pack_linear_int8;
    Matrix memory(1, bytes(shape));
    CHECK_EQ(bytes(shape) % 64, 0u);
    // Columns in two calls, the later ones first.
    const size_t half = shape.out / 2 / kPanelColumns * kPanelColumns;
    pack(shape, weight.data() + half * shape.in, bias.data() + half, half, shape.out - half, memory.data());
    if (half > 0) pack(shape, weight.data(), bias.data(), 0, half, memory.data());
    CHECK(memory.intact(bytes(shape)));
    return memory;
  }

  // Rows [first_row, first_row + count) of x times columns [first, first + columns).
  void multiply(const EncoderTable& table, Matrix& packed_layer, size_t first_row, size_t count, size_t first,
                size_t columns, Matrix& y, ResultKind result, Activation activation) {
    const auto linear = kind == Kind::bf16 ? table.linear_bf16 : table.linear_int8;
    const size_t groups = kind == Kind::int8 ? (shape.in + shape.group - 1) / shape.group : 0;
    const Operand operand{.data = x.row<void>(first_row),
                          .stride = x.stride(),
                          .quantization = quantization.data() + first_row * groups};
    linear(shape, packed_layer.data(), operand, count, first, columns,
           {.data = y.row<void>(first_row), .stride = y.stride(), .kind = result, .activation = activation});
  }

  Kind kind;
  LinearShape shape;
  size_t rows;
  std::vector<float> weight, bias;
  Matrix x;
  std::vector<Quantization> quantization;
};

size_t element_bytes(ResultKind kind) { return kind == ResultKind::kBf16 ? 2 : 4; }

double value_at(Matrix& y, ResultKind kind, size_t row, size_t column) {
  return kind == ResultKind::kBf16 ? of_bf16(y.row<uint16_t>(row)[column]) : y.row<float>(row)[column];
}

void check_linear(const EncoderTable& tiles, const EncoderTable& scalar, Problem& problem, ResultKind kind,
                  Activation activation) {
  const size_t out = problem.shape.out, used = out * element_bytes(kind);
  Matrix packed = problem.packed(tiles), reference = problem.packed(scalar);
  Matrix y(problem.rows, used + 64), expected(problem.rows, used + 64);
  if (kind == ResultKind::kAddF32)
    for (size_t r = 0; r < problem.rows; ++r) {
      fill_normal(y.row<float>(r), out, 77 + static_cast<uint32_t>(r));
      std::copy_n(y.row<float>(r), out, expected.row<float>(r));
    }
  problem.multiply(tiles, packed, 0, problem.rows, 0, out, y, kind, activation);
  problem.multiply(scalar, reference, 0, problem.rows, 0, out, expected, kind, activation);
  double worst = 0;
  for (size_t r = 0; r < problem.rows; ++r)
    for (size_t c = 0; c < out; ++c) {
      const double a = value_at(y, kind, r, c), b = value_at(expected, kind, r, c);
      worst = std::max(worst, std::fabs(a - b) / (1 + std::fabs(b)));
    }
  // Sums in another order: some 1e-6 of values around 1; a bfloat16 is off by one unit in the last place at
  // most.
  CHECK_NEAR(worst, 0.0, kind == ResultKind::kBf16 ? 1.0 / 128 : 4e-6);
  CHECK(y.intact(used));
}

const std::vector<size_t> kRowCounts = {1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 97};

}  // namespace

TEST("amx: linear bf16 is the scalar one's, for any number of rows and depth") {
  with_amx([](const EncoderTable& tiles, const EncoderTable& scalar) {
    for (const size_t rows : kRowCounts) {
      Problem problem(Kind::bf16, {.in = 96, .out = 96, .group = 0}, rows);
      check_linear(tiles, scalar, problem, ResultKind::kF32, Activation::kNone);
    }
    for (const size_t in : {32, 64, 384, 416}) {
      Problem problem(Kind::bf16, {.in = in, .out = 32, .group = 0}, 37);
      check_linear(tiles, scalar, problem, ResultKind::kF32, Activation::kNone);
    }
  });
}

TEST("amx: linear int8 is the scalar one's, for any number of rows, depth and groups") {
  with_amx([](const EncoderTable& tiles, const EncoderTable& scalar) {
    for (const size_t rows : kRowCounts) {
      Problem problem(Kind::int8, {.in = 160, .out = 96, .group = 64}, rows);
      check_linear(tiles, scalar, problem, ResultKind::kF32, Activation::kNone);
    }
    for (const size_t in : {32, 64, 96, 384, 416})
      for (const size_t group : {64, 128, 384, 1536}) {
        Problem problem(Kind::int8, {.in = in, .out = 32, .group = group}, 37);
        check_linear(tiles, scalar, problem, ResultKind::kF32, Activation::kNone);
      }
  });
}

TEST("amx: results are stored, added and rounded, after every activation") {
  with_amx([](const EncoderTable& tiles, const EncoderTable& scalar) {
    for (const Kind kind : {Kind::bf16, Kind::int8})
      for (const ResultKind result : {ResultKind::kF32, ResultKind::kAddF32, ResultKind::kBf16})
        for (const Activation activation : {Activation::kNone, Activation::kGeluErf, Activation::kGeluTanh}) {
          Problem problem(kind, {.in = 128, .out = 64, .group = 64}, 45);
          check_linear(tiles, scalar, problem, result, activation);
        }
  });
}

TEST("amx: a row's results have the same bits whatever rows and columns a call covers") {
  with_amx([](const EncoderTable& tiles, const EncoderTable&) {
    for (const Kind kind : {Kind::bf16, Kind::int8}) {
      constexpr size_t kRows = 70;
      Problem problem(kind, {.in = 192, .out = 128, .group = 64}, kRows);
      Matrix packed = problem.packed(tiles);
      Matrix whole(kRows, 128 * 4), parts(kRows, 128 * 4);
      problem.multiply(tiles, packed, 0, kRows, 0, 128, whole, ResultKind::kF32, Activation::kGeluErf);
      for (const size_t step : {1, 3, 16, 29, 32, 40}) {
        std::fill_n(parts.data(), kRows * 128 * 4, uint8_t{0});
        for (size_t row = 0; row < kRows; row += step)
          for (size_t column = 0; column < 128; column += step % 2 == 0 ? 32 : 64)
            problem.multiply(tiles, packed, row, std::min(step, kRows - row), column, step % 2 == 0 ? 32 : 64,
                             parts, ResultKind::kF32, Activation::kGeluErf);
        CHECK(std::memcmp(whole.data(), parts.data(), kRows * 128 * 4) == 0);
      }
    }
  });
}

TEST("amx: a NaN stays in its row") {
  with_amx([](const EncoderTable& tiles, const EncoderTable&) {
    for (const size_t rows : {5, 20, 40, 70}) {
      Problem clean(Kind::bf16, {.in = 64, .out = 64, .group = 0}, rows);
      Problem dirty(Kind::bf16, {.in = 64, .out = 64, .group = 0}, rows);
      dirty.x.row<uint16_t>(3)[17] = 0x7fc0;
      Matrix packed = clean.packed(tiles);
      Matrix y(rows, 256), expected(rows, 256);
      clean.multiply(tiles, packed, 0, rows, 0, 64, expected, ResultKind::kF32, Activation::kNone);
      dirty.multiply(tiles, packed, 0, rows, 0, 64, y, ResultKind::kF32, Activation::kNone);
      for (size_t r = 0; r < rows; ++r)
        for (size_t c = 0; c < 64; ++c) {
          if (r == 3)
            CHECK(std::isnan(y.row<float>(r)[c]));
          else
            CHECK_EQ(y.row<float>(r)[c], expected.row<float>(r)[c]);
        }
    }
  });
}

TEST("amx: no rows or no columns is nothing to do") {
  with_amx([](const EncoderTable& tiles, const EncoderTable&) {
    Problem problem(Kind::bf16, {.in = 32, .out = 32, .group = 0}, 1);
    Matrix packed = problem.packed(tiles), y(1, 128);
    problem.multiply(tiles, packed, 0, 0, 0, 32, y, ResultKind::kF32, Activation::kNone);
    problem.multiply(tiles, packed, 0, 1, 0, 0, y, ResultKind::kF32, Activation::kNone);
    CHECK(y.intact(0));
  });
}

namespace {

// q, k, v of one head beside each other in rows, as a layer's QKV product leaves them.
struct HeadProblem {
  HeadProblem(size_t tokens_, size_t head_size_, float scale, uint32_t seed)
      : tokens(tokens_), head_size(head_size_), qkv(tokens, 3 * head_size * 2 + 64) {
    std::vector<float> values(3 * head_size);
    for (size_t t = 0; t < tokens; ++t) {
      fill_normal(values.data(), values.size(), seed + static_cast<uint32_t>(t));
      for (size_t d = 0; d < values.size(); ++d)
        qkv.row<uint16_t>(t)[d] = bf16_of(d < 2 * head_size ? scale * values[d] : values[d]);
    }
  }
  void attend(const EncoderTable& table, Matrix& out) {
    const size_t bytes = table.attention_scratch_bf16(tokens, head_size);
    Matrix scratch(1, (bytes + 63) / 64 * 64);
    const uint16_t* const q = qkv.row<uint16_t>(0);
    table.attention_bf16({.q = q,
                          .k = q + head_size,
                          .v = q + 2 * head_size,
                          .stride = qkv.stride(),
                          .tokens = tokens,
                          .head_size = head_size,
                          .out = out.data(),
                          .out_stride = out.stride()},
                         scratch.data());
    CHECK(scratch.intact(scratch.stride()));
  }
  size_t tokens, head_size;
  Matrix qkv;
};

}  // namespace

TEST("amx: attention is the scalar one's, for any length") {
  with_amx([](const EncoderTable& tiles, const EncoderTable& scalar) {
    for (const size_t head_size : {32, 64})
      for (const size_t tokens : {1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 49, 64, 65, 100, 130}) {
        HeadProblem problem(tokens, head_size, 0.5F, static_cast<uint32_t>(tokens));
        Matrix out(tokens, head_size * 2 + 64), expected(tokens, head_size * 2 + 64);
        problem.attend(tiles, out);
        problem.attend(scalar, expected);
        double worst = 0;
        for (size_t t = 0; t < tokens; ++t)
          for (size_t d = 0; d < head_size; ++d) {
            const double a = of_bf16(out.row<uint16_t>(t)[d]), b = of_bf16(expected.row<uint16_t>(t)[d]);
            worst = std::max(worst, std::fabs(a - b) / (0.25 + std::fabs(b)));
          }
        CHECK_NEAR(worst, 0.0, 1.0 / 128);
        CHECK(out.intact(head_size * 2));
      }
  });
}

TEST("amx: attention with scores beyond any exponential's range has no infinities") {
  with_amx([](const EncoderTable& tiles, const EncoderTable& scalar) {
    HeadProblem problem(40, 32, 30.0F, 5);
    Matrix out(40, 64), expected(40, 64);
    problem.attend(tiles, out);
    problem.attend(scalar, expected);
    for (size_t t = 0; t < 40; ++t)
      for (size_t d = 0; d < 32; ++d) {
        const double a = of_bf16(out.row<uint16_t>(t)[d]), b = of_bf16(expected.row<uint16_t>(t)[d]);
        CHECK_NEAR(a, b, 0.02 * (1 + std::fabs(b)));
      }
  });
}

TEST("amx: kernels run on several threads at once") {
  with_amx([](const EncoderTable& tiles, const EncoderTable&) {
    Problem problem(Kind::bf16, {.in = 64, .out = 128, .group = 0}, 40);
    Matrix packed = problem.packed(tiles), whole(40, 512), parts(40, 512);
    problem.multiply(tiles, packed, 0, 40, 0, 128, whole, ResultKind::kF32, Activation::kNone);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        problem.multiply(tiles, packed, 0, 40, 32 * t, 32, parts, ResultKind::kF32, Activation::kNone);
      });
    for (std::thread& thread : threads) thread.join();
    CHECK(std::memcmp(whole.data(), parts.data(), 40 * 512) == 0);
  });
}

TEST("amx: a full block needs no more tile loads and products than a 2 x 2 blocking has") {
  with_amx([](const EncoderTable& tiles, const EncoderTable&) {
    if (amx::hardware()) SKIP("only the emulator counts");
    Problem problem(Kind::bf16, {.in = 384, .out = 64, .group = 0}, 64);
    Matrix packed = problem.packed(tiles), y(64, 256);
    const amx::Counts before = amx::Emulator::counts();
    problem.multiply(tiles, packed, 0, 64, 0, 64, y, ResultKind::kF32, Activation::kNone);
    const amx::Counts after = amx::Emulator::counts();
    constexpr size_t kBlocks = 2 * 2, kSteps = 384 / 32;
    CHECK_EQ(after.configurations - before.configurations, 1u);
    CHECK_EQ(after.products - before.products, kBlocks * kSteps * 4);
    CHECK_EQ(after.loads - before.loads, kBlocks * kSteps * 4);
    CHECK_EQ(after.stores - before.stores, kBlocks * 4);
  });
}

#endif
