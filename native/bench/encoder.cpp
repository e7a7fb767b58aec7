// Where the time of the packed encoder goes, and how near its products come to what the processor can do.
//
//   cmake --build build --target gteway_encoder_bench
//   build/tests/gteway_encoder_bench [--model weights-file [config.json]] [--dtype fp32,bf16,int8] [--only
//   kernels|passes|sharing]
//
// Without --model, random weights of gte-small's shape: speed does not depend on the values. GTEWAY_FORCE_ISA
// chooses the instruction set. Rates are the best of many short samples, on an idle machine.
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "base/aligned_buffer.hpp"
#include "base/error.hpp"
#include "cpu/features.hpp"
#include "encoder_probe.hpp"
#include "engine/encoder/encoder_engine.hpp"
#include "engine/encoder/forward.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "engine/encoder/reference.hpp"
#include "engine/encoder/sharing.hpp"
#include "model/read_encoder.hpp"

namespace {

using namespace gteway;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Seconds this thread has computed, so that other work on the machine counts as little as it can.
double thread_seconds() noexcept {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The shortest of `samples` calls.
template <class F>
double best_of(int samples, F&& call) {
  double best = 1e9;
  for (int i = 0; i < samples; ++i) {
    const auto start = Clock::now();
    call();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

constexpr EncoderConfig kGteSmall{.vocabulary = 30522,
                                  .positions = 512,
                                  .token_types = 2,
                                  .hidden = 384,
                                  .layers = 12,
                                  .heads = 12,
                                  .head_size = 32,
                                  .intermediate = 1536,
                                  .activation = Activation::kGeluErf,
                                  .layer_norm_epsilon = 1e-12F};

// Sequences of `length` tokens, `tokens` of them all together.
struct Batch {
  Batch(const EncoderConfig& config, size_t length, size_t tokens) {
    std::mt19937 generator(7);
    offsets.push_back(0);
    while (ids.size() + length <= std::max(tokens, length)) {
      for (size_t i = 0; i < length; ++i)
        ids.push_back(static_cast<int32_t>(generator() % config.vocabulary));
      offsets.push_back(static_cast<uint32_t>(ids.size()));
    }
  }
  RaggedBatch get() const { return {ids, offsets}; }
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets;
};

double flops(const EncoderConfig& config, size_t length, size_t tokens) {
  const double hidden = static_cast<double>(config.hidden), inner = static_cast<double>(config.intermediate);
  const double products = 2 * (4 * hidden * hidden + 2 * hidden * inner);
  const double attention = 4 * static_cast<double>(length) * hidden;
  return (products + attention) * static_cast<double>(config.layers * tokens);
}

void bench_passes(const EncoderWeights& weights, const std::string& dtype) {
  const EncoderConfig& config = weights.config;
  if (const auto reason = encoder_unavailable(config, dtype)) {
    std::printf("%s: %s\n", dtype.c_str(), reason->c_str());
    return;
  }
  const auto start = Clock::now();
  const auto packed = pack_encoder(weights, dtype, 2);
  const double pack_1 = seconds_since(start);
  std::printf("\n%s: packed in %.0f ms on 2 threads, %.1f MB\n", dtype.c_str(), pack_1 * 1e3,
              static_cast<double>(packed_bytes(*packed)) / 1e6);

  std::printf("%8s %8s %10s %8s | %%", "length", "tokens", "tokens/s", "GFLOP/s");
  for (const auto name : PhaseTimes::kNames)
    std::printf(" %10.*s", static_cast<int>(name.size()), name.data());
  std::printf("\n");
  const std::atomic<bool> terminated = false;
  for (const auto& [length, tokens] : {std::pair<size_t, size_t>{8, 8},
                                       {16, 256},
                                       {32, 256},
                                       {64, 128},
                                       {64, 256},
                                       {64, 512},
                                       {128, 256},
                                       {128, 512},
                                       {256, 256},
                                       {512, 512}}) {
    const Batch batch(config, length, tokens);
    Workspace workspace;
    workspace.reserve(*packed, batch.ids.size(), length, 1);
    double best = 1e9;
    PhaseTimes best_times{.clock = thread_seconds};
    for (int i = 0; i < 12; ++i) {
      PhaseTimes times{.clock = thread_seconds};
      const double begin = thread_seconds();
      forward(*packed, batch.get(), workspace, nullptr, terminated, &times);
      const double taken = thread_seconds() - begin;
      if (taken < best) best = taken, best_times = times;
    }
    const double count = static_cast<double>(batch.ids.size());
    std::printf("%8zu %8zu %10.0f %8.0f |  ", length, batch.ids.size(), count / best,
                flops(config, length, batch.ids.size()) / best / 1e9);
    for (const double value : best_times.seconds) std::printf(" %10.1f", 100 * value / best);
    std::printf("\n");
  }

  const auto engine = make_encoder(packed, {.dtype = dtype, .threads = 2, .max_batch_tokens = 0});
  std::printf("one text, ms on 1 and 2 threads:");
  for (const size_t length : {8, 32, 128, 512}) {
    const Batch batch(config, length, length);
    std::vector<float> out(config.hidden);
    std::printf("  %zu tokens", length);
    for (const size_t threads : {1, 2})
      std::printf(" %.2f",
                  1e3 * best_of(25, [&] { engine->embed(batch.get(), Pooling::kMean, true, threads, out); }));
  }
  std::printf("\n");

  // Two threads with batches of their own.
  const Batch batch(config, 64, 256);
  const auto work = [&](int rounds) {
    std::vector<float> out(batch.get().size() * config.hidden);
    for (int i = 0; i < rounds; ++i) engine->embed(batch.get(), Pooling::kMean, true, 1, out);
  };
  const double both = best_of(5, [&] {
    std::thread other(work, 10);
    work(10);
    other.join();
  });
  std::printf("two threads, texts of 64 tokens: %.0f tokens/s\n",
              20.0 * static_cast<double>(batch.ids.size()) / both);
  std::printf("least cosine to the reference: %.7f\n", least_cosine_to_reference(*engine, weights));
}

// One text shared among threads: what each work of a layer takes one thread, for bench/sharing, and what is
// woken and looked at when so many threads share it as it is worth where there are 64 processors, or all of
// them.
void bench_sharing(const EncoderWeights& weights, const std::string& dtype) {
  const EncoderConfig& config = weights.config;
  if (encoder_unavailable(config, dtype)) return;
  const auto packed = pack_encoder(weights, dtype, 2);
  const std::atomic<bool> terminated = false;
  std::printf("\n%s, one text: per text\n%8s %8s %8s %10s %10s %10s %10s %10s %10s\n", dtype.c_str(),
              "tokens", "threads", "ms", "called", "woken", "works", "lines", "looks", "helped");
  for (const size_t length : {9, 64, 512}) {
    const Batch batch(config, length, length);
    Workspace workspace;
    workspace.reserve(*packed, length, length, 64);
    PhaseTimes best{.clock = thread_seconds};
    for (int i = 0; i < 30; ++i) {
      PhaseTimes times{.clock = thread_seconds};
      forward(*packed, batch.get(), workspace, nullptr, terminated, &times);
      for (size_t phase = 0; phase < PhaseTimes::kPhases; ++phase)
        best.seconds[phase] =
            i == 0 ? times.seconds[phase] : std::min(best.seconds[phase], times.seconds[phase]);
    }
    const auto worth = [&](size_t processors) {
      return threads_worth(*packed, length, processors, {.processors = processors});
    };
    for (const size_t threads : {worth(2), worth(64), size_t{64}}) {
      Crew crew(threads - 1);
      constexpr int kTexts = 20;
      const auto start = Clock::now();
      for (int i = 0; i < kTexts; ++i) {
        if (threads > 1) crew.begin_shift(threads);
        forward(*packed, batch.get(), workspace, threads > 1 ? &crew : nullptr, terminated);
        crew.end_shift();
      }
      const double ms = seconds_since(start) / kTexts * 1e3;
      const Crew::Counters counters = crew.counters();
      std::printf("%8zu %8zu %8.2f", length, threads, ms);
      for (const uint64_t count : {counters.called, counters.wake_ups, counters.works, counters.posts,
                                   counters.polls, counters.helped})
        std::printf(" %10.0f", static_cast<double>(count) / kTexts);
      std::printf("\n");
    }
    std::printf("pieces {\"dtype\":\"%s\",\"tokens\":%zu,\"layers\":%zu,\"works\":[", dtype.c_str(), length,
                config.layers);
    const size_t hidden = config.hidden / 32, rows = (length + 3) / 4;
    const std::array<size_t, PhaseTimes::kPhases> units = {
        rows, 3 * hidden, config.heads, hidden, rows, config.intermediate / 32, rows, hidden};
    const char* separator = "";
    for (size_t phase = PhaseTimes::kQkv; phase < PhaseTimes::kPhases; ++phase) {
      if (best.seconds[phase] == 0) continue;
      // Two norms a layer, timed together.
      const size_t times = phase == PhaseTimes::kNorm ? 2 : 1;
      for (size_t i = 0; i < times; ++i) {
        const bool is_product = phase == PhaseTimes::kQkv || phase == PhaseTimes::kAttentionOutput ||
                                phase == PhaseTimes::kUp || phase == PhaseTimes::kDown;
        std::printf("%s{\"seconds\":%.3e,\"units\":%zu,\"cuts\":%zu}", separator,
                    best.seconds[phase] / static_cast<double>(config.layers * times), units[phase],
                    is_product && length >= kLeastRowsCut ? length / (kLeastRowsCut / 2) : size_t{1});
        separator = ",";
      }
    }
    std::printf("],\"threads\":{");
    separator = "";
    for (const size_t processors : {1, 2, 8, 16, 32, 64, 128}) {
      std::printf("%s\"%zu\":%zu", separator, processors, worth(processors));
      separator = ",";
    }
    std::printf("}}\n");
  }
}

// Zeros but for the scales, aligned: what matters to the clock is where data lie, not what they are.
std::byte* fill(AlignedBuffer& buffer, size_t bytes) {
  buffer = AlignedBuffer(bytes);
  std::memset(buffer.data(), 0, bytes);
  return buffer.data();
}

struct Products {
  const char* name;
  const char* kernel;
  size_t element;
  kernels::PackedBytes* packed_bytes;
  kernels::MultiplyLinear* multiply;
  double peak;
};

// 64 rows through each product of gte-small's layers: short enough for an undisturbed sample among many.
void bench_products(const Products& products) {
  const kernels::EncoderKernels& set = kernels::encoder_kernels();
  if (set.source(products.kernel) == "scalar") return;
  constexpr size_t kRows = 64;
  struct Case {
    const char* name;
    size_t in, out;
    kernels::ResultKind kind;
    kernels::Activation activation;
  };
  const kernels::ResultKind kind =
      products.element == 2 ? kernels::ResultKind::kBf16 : kernels::ResultKind::kF32;
  for (const Case& test :
       {Case{"qkv", 384, 1152, kind, kernels::Activation::kNone},
        Case{"attention output", 384, 384, kernels::ResultKind::kAddF32, kernels::Activation::kNone},
        Case{"up", 384, 1536, kind, kernels::Activation::kNone},
        Case{"up + gelu", 384, 1536, kind, kernels::Activation::kGeluErf},
        Case{"down", 1536, 384, kernels::ResultKind::kAddF32, kernels::Activation::kNone}}) {
    const kernels::LinearShape shape{test.in, test.out, products.element == 1 ? size_t{384} : size_t{0}};
    AlignedBuffer packed, x, y;
    const size_t x_stride = test.in * products.element + 64, y_stride = test.out * 4 + 64;
    std::vector<kernels::Quantization> quantization(kRows * (test.in / 384), {.scale = 1, .offset = 0});
    const std::byte* const weights = fill(packed, products.packed_bytes(shape));
    const kernels::Operand operand{fill(x, kRows * x_stride), x_stride, quantization.data()};
    const kernels::Result result{fill(y, kRows * y_stride), y_stride, test.kind, test.activation};
    const double seconds =
        best_of(300, [&] { products.multiply(shape, weights, operand, kRows, 0, test.out, result); });
    const double rate = 2.0 * static_cast<double>(kRows * test.in * test.out) / seconds;
    std::printf("%-6s %-18s %8.0f GFLOP/s  %3.0f %% of %.0f\n", products.name, test.name, rate / 1e9,
                100 * rate / products.peak, products.peak / 1e9);
  }
}

void bench_attention(const char* name, size_t element, kernels::AttentionScratch* scratch_bytes,
                     kernels::Attend* attend, double peak) {
  for (const size_t tokens : {16, 64, 128, 512}) {
    const size_t stride = 3 * 384 * element + 64;
    AlignedBuffer qkv, out, scratch;
    const std::byte* const from = fill(qkv, tokens * stride);
    const kernels::AttentionHead head{
        from,  from + 384 * element, from + 768 * element, stride, tokens, 32, fill(out, tokens * stride),
        stride};
    std::byte* const work = fill(scratch, scratch_bytes(tokens, 32));
    const double seconds = best_of(500, [&] { attend(head, work); });
    const double rate = 4.0 * 32 * static_cast<double>(tokens * tokens) / seconds;
    std::printf("%-6s attention %-8zu %8.0f GFLOP/s  %3.0f %% of %.0f  %.2f us\n", name, tokens, rate / 1e9,
                100 * rate / peak, peak / 1e9, seconds * 1e6);
  }
}

void bench_kernels() {
  const kernels::EncoderKernels& set = kernels::encoder_kernels();
  const kernels::EncoderTable& table = set.table;
  const bench::PeakRates peak = bench::peak_rates();
  std::printf("probe, GFLOP/s: fma %.0f, vdpbf16ps %.0f, vpdpbusd %.0f\n", peak.f32 / 1e9, peak.bf16 / 1e9,
              peak.int8 / 1e9);
  bench_products({"fp32", "linear_f32", 4, table.packed_bytes_f32, table.linear_f32, peak.f32});
  bench_products({"bf16", "linear_bf16", 2, table.packed_bytes_bf16, table.linear_bf16, peak.bf16});
  bench_products({"int8", "linear_int8", 1, table.packed_bytes_int8, table.linear_int8, peak.int8});
  bench_attention("fp32", 4, table.attention_scratch_f32, table.attention_f32, peak.f32);
  if (set.source("attention_bf16") != "scalar")
    bench_attention("bf16", 2, table.attention_scratch_bf16, table.attention_bf16, peak.bf16);

  constexpr size_t kRows = 64, kDims = 384, kInner = 1536;
  AlignedBuffer x_memory, y_memory, table_memory;
  const size_t stride = kInner * 4 + 64;
  float* const x = reinterpret_cast<float*>(fill(x_memory, kRows * stride));
  std::vector<kernels::Quantization> quantization(kRows * 4);
  const kernels::Operand operand{fill(y_memory, kRows * stride), stride, quantization.data()};
  const std::vector<float> ones(kDims, 1.0F);
  const kernels::LayerNormalization norm{ones.data(), ones.data(), 1e-12F};
  const auto report = [](const char* name, double seconds) {
    std::printf("%-25s %8.0f ns a row\n", name, seconds / kRows * 1e9);
  };
  report("normalize_rows_f32",
         best_of(500, [&] { table.normalize_rows_f32(x, stride, kRows, kDims, norm); }));
  report("normalize_rows_bf16",
         best_of(500, [&] { table.normalize_rows_bf16(x, stride, kRows, kDims, norm, operand); }));
  report("normalize_rows_u8",
         best_of(500, [&] { table.normalize_rows_u8(x, stride, kRows, kDims, norm, 384, operand); }));
  report("quantize_u8 of 1536",
         best_of(500, [&] { table.quantize_u8(x, stride, kRows, kInner, 384, operand); }));
  const std::vector<int32_t> ids(kRows, 3);
  const float* const words = reinterpret_cast<const float*>(fill(table_memory, kRows * kDims * 4));
  report("embed_f32",
         best_of(500, [&] { table.embed_f32(ids.data(), kRows, words, words, kDims, x, stride); }));
  report("embed_bf16", best_of(500, [&] {
           table.embed_bf16(ids.data(), kRows, reinterpret_cast<const uint16_t*>(words), words, kDims, x,
                            stride);
         }));
}

}  // namespace

int main(int argc, char** argv) try {
  std::string only;
  std::vector<std::string> model, dtypes = {"fp32", "bf16", "int8"};
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--model") == 0)
      while (i + 1 < argc && argv[i + 1][0] != '-') model.emplace_back(argv[++i]);
    else if (std::strcmp(argv[i], "--dtype") == 0 && i + 1 < argc)
      dtypes = {argv[++i]};
    else if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc)
      only = argv[++i];
  }
  std::printf("%s, %.*s\n", cpu::brand().c_str(), static_cast<int>(kernels::encoder_kernels().isa.size()),
              kernels::encoder_kernels().isa.data());
  if (only.empty() || only == "kernels") bench_kernels();
  if (only == "kernels") return 0;
  std::unique_ptr<test::RandomEncoder> random;
  EncoderWeights weights;
  if (model.empty()) {
    random = std::make_unique<test::RandomEncoder>(kGteSmall, false);
    weights = random->weights;
  } else {
    weights = read_encoder(model[0], model.size() > 1 ? model[1] : "");
  }
  for (const std::string& dtype : dtypes) {
    if (only != "sharing") bench_passes(weights, dtype);
    if (only != "passes") bench_sharing(weights, dtype);
  }
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
