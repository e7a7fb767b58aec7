// What only tiles could get wrong. What holds for the encoder's kernels of every instruction set is tested
// with the others, in encoder_*_test.cpp, emulated where the machine has no AMX.
#include "kernels/encoder_case.hpp"

#if defined(GTEWAY_AMX_EMULATOR)

#include <thread>

using namespace gteway::test;
using namespace gteway::kernels;

namespace {

// A layer of bfloat16 and rows for it.
struct Problem {
  Problem(const EncoderTable& table_, size_t in, size_t out, size_t rows_)
      : table(table_),
        shape{in, out, 0},
        rows(rows_),
        x(rows_, in),
        packed(1, table_.packed_bytes_bf16(shape), 0) {
    std::vector<float> weight(in * out), bias(out);
    fill_normal(weight.data(), weight.size(), 1);
    fill_normal(bias.data(), out, 2);
    table.pack_linear_bf16(shape, weight.data(), bias.data(), 0, out, packed.data());
    std::vector<float> values(in);
    for (size_t r = 0; r < rows; ++r) {
      fill_normal(values.data(), in, 3 + static_cast<uint32_t>(r));
      for (size_t k = 0; k < in; ++k) x.row(r)[k] = to_bf16(values[k]);
    }
  }
  void multiply(size_t first, size_t columns, Matrix<float>& y) {
    table.linear_bf16(shape, packed.data(), {x.data(), x.stride(), nullptr}, rows, first, columns,
                      {y.data(), y.stride(), ResultKind::kF32, Activation::kNone});
  }
  const EncoderTable& table;
  LinearShape shape;
  size_t rows;
  Matrix<uint16_t> x;
  Matrix<uint8_t> packed;
};

}  // namespace

TEST("amx: linear_int8 is scalar's for any size of the groups") {
  with_amx([](const EncoderKernels& set) {
    const EncoderTable& table = set.table;
    const EncoderTable scalar = encoder_kernels_for("scalar").table;
    for (const size_t in : {32, 64, 96, 384, 416})
      for (const size_t group : {64, 128, 384, 1536}) {
        const LinearShape shape{in, 32, group};
        const size_t groups = (in + group - 1) / group, rows = 37;
        std::vector<float> weight(in * 32), bias(32);
        fill_normal(weight.data(), weight.size(), 4, 0.05F);
        fill_normal(bias.data(), 32, 5);
        Matrix<uint8_t> packed(1, table.packed_bytes_int8(shape), 0),
            truth(1, scalar.packed_bytes_int8(shape), 0);
        table.pack_linear_int8(shape, weight.data(), bias.data(), 0, 32, packed.data());
        scalar.pack_linear_int8(shape, weight.data(), bias.data(), 0, 32, truth.data());
        CHECK(packed.intact());
        Matrix<float> values(rows, in), y(rows, 32), expected(rows, 32);
        values.fill(6);
        Matrix<uint8_t> bytes(rows, in);
        std::vector<Quantization> quantization(rows * groups);
        const Operand operand{bytes.data(), bytes.stride(), quantization.data()};
        scalar.quantize_u8(values.data(), values.stride(), rows, in, group, operand);
        table.linear_int8(shape, packed.data(), operand, rows, 0, 32,
                          {y.data(), y.stride(), ResultKind::kF32, Activation::kNone});
        scalar.linear_int8(shape, truth.data(), operand, rows, 0, 32,
                           {expected.data(), expected.stride(), ResultKind::kF32, Activation::kNone});
        for (size_t r = 0; r < rows; ++r)
          for (size_t c = 0; c < 32; ++c) CHECK_NEAR(y.row(r)[c], expected.row(r)[c], 1e-5);
        CHECK(y.intact());
      }
  });
}

TEST("amx: rows around blocks of 16 and 32 have the bits they have alone") {
  with_amx([](const EncoderKernels& set) {
    const EncoderTable& table = set.table;
    constexpr size_t kMost = 97;
    Problem all(table, 96, 64, kMost);
    Matrix<float> whole(kMost, 64);
    all.multiply(0, 64, whole);
    for (const size_t rows : {1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 81, 96}) {
      Problem some(table, 96, 64, rows);
      Matrix<float> y(rows, 64);
      some.multiply(0, 64, y);
      for (size_t r = 0; r < rows; ++r) CHECK(std::memcmp(y.row(r), whole.row(r), 64 * sizeof(float)) == 0);
      CHECK(y.intact());
    }
  });
}

TEST("amx: no rows, or no columns, is nothing to do") {
  with_amx([](const EncoderKernels& set) {
    const EncoderTable& table = set.table;
    Problem none(table, 32, 32, 0), one(table, 32, 32, 1);
    Matrix<float> y(1, 32);
    none.multiply(0, 32, y);
    one.multiply(0, 0, y);
    CHECK(y.intact(0, 0));
  });
}

TEST("amx: kernels of several threads do not disturb each other") {
  with_amx([](const EncoderKernels& set) {
    const EncoderTable& table = set.table;
    Problem problem(table, 64, 128, 40);
    Matrix<float> whole(40, 128), parts(40, 128);
    problem.multiply(0, 128, whole);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 4; ++t) threads.emplace_back([&, t] { problem.multiply(32 * t, 32, parts); });
    for (std::thread& thread : threads) thread.join();
    for (size_t r = 0; r < 40; ++r) CHECK(std::memcmp(whole.row(r), parts.row(r), 128 * sizeof(float)) == 0);
  });
}

TEST("amx: full blocks need one configuration, and four loads and four products a step") {
  if (amx::hardware()) SKIP("only the emulator counts");
  with_emulated_amx([](const EncoderKernels& set) {
    const EncoderTable& table = set.table;
    Problem problem(table, 384, 64, 64);
    Matrix<float> y(64, 64);
    const amx::Counts before = amx::Emulator::counts();
    problem.multiply(0, 64, y);
    const amx::Counts after = amx::Emulator::counts();
    constexpr size_t kBlocks = 2 * 2, kSteps = 384 / 32;
    CHECK_EQ(after.configurations - before.configurations, 1u);
    CHECK_EQ(after.products - before.products, kBlocks * kSteps * 4);
    CHECK_EQ(after.loads - before.loads, kBlocks * kSteps * 4);
    CHECK_EQ(after.stores - before.stores, kBlocks * 4);
  });
}

#endif
