// Measures the CUDA encoder on a GPU: built and run by scripts/gpu-check.sh. Weights are random, of
// gte-small's shape: speed does not depend on them. Prints one line of JSON for each figure.
//
//   gteway_cuda_bench [section…]    sections: copy gemm kernels rate latency batch; without any: all
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/cuda/device/model.cuh"

namespace {

using namespace gteway::cuda;
using Clock = std::chrono::steady_clock;

constexpr uint32_t kHidden = 384, kInner = 1536, kLayers = 12, kHeads = 12, kVocabulary = 30522,
                   kPositions = 512;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

void cuda(cudaError_t error, const char* what) { check(error, what, kGtewayCudaInternal); }

class Timer {
 public:
  Timer() {
    cuda(cudaEventCreate(&start_), "an event");
    cuda(cudaEventCreate(&end_), "an event");
    cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  }
  // Median milliseconds of `body` on the stream.
  double median(const std::function<void(int)>& body, int repeats = 20) {
    for (int i = 0; i < 3; ++i) body(i);
    std::vector<double> times;
    for (int i = 0; i < repeats; ++i) {
      cuda(cudaEventRecord(start_, stream), "record");
      body(i);
      cuda(cudaEventRecord(end_, stream), "record");
      cuda(cudaEventSynchronize(end_), "a kernel");
      float ms = 0;
      cuda(cudaEventElapsedTime(&ms, start_, end_), "elapsed time");
      times.push_back(static_cast<double>(ms));
    }
    return quantile(times, 0.5);
  }
  cudaStream_t stream = nullptr;

 private:
  cudaEvent_t start_ = nullptr, end_ = nullptr;
};

template <class T>
T* device_copy(const std::vector<T>& values) {
  void* memory = nullptr;
  cuda(cudaMalloc(&memory, values.size() * sizeof(T)), "memory");
  cuda(cudaMemcpy(memory, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "copy");
  cuda(cudaDeviceSynchronize(), "copy");  // the timers' streams would not wait for it
  return static_cast<T*>(memory);
}

double measure_copy() {
  const size_t bytes = size_t{2} << 30;
  void *from = nullptr, *to = nullptr;
  cuda(cudaMalloc(&from, bytes), "memory");
  cuda(cudaMalloc(&to, bytes), "memory");
  Timer timer;
  const double ms = timer.median(
      [&](int) { cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, timer.stream), "copy"); });
  cudaFree(from);
  cudaFree(to);
  const double rate = 2.0 * static_cast<double>(bytes) / ms / 1e6;
  std::printf("{\"figure\":\"copy\",\"gigabytes_per_second\":%.0f}\n", rate);
  return rate;
}

std::vector<uint16_t> random_halves(size_t count, float deviation) {
  std::mt19937 engine(static_cast<uint32_t>(count));
  std::normal_distribution<float> normal(0, deviation);
  std::vector<uint16_t> values(std::min<size_t>(count, 1 << 20));
  for (uint16_t& value : values) value = round_to_bf16(normal(engine));
  std::vector<uint16_t> all(count);
  for (size_t i = 0; i < count; i += values.size())
    std::memcpy(&all[i], values.data(), std::min(values.size(), count - i) * 2);
  return all;
}

void measure_gemms() {
  struct Shape {
    const char* name;
    uint32_t columns, depth;
    Epilogue epilogue;
  };
  const GtewayCudaConfig config = {
      .type = kGtewayCudaBf16, .hidden = kHidden, .heads = kHeads, .intermediate = kInner};
  const KernelTable table = kernels_for(config);
  allow_shared_memory(table);
  const Shape shapes[] = {{"qkv", 3 * kHidden, kHidden, Epilogue::kPlain},
                          {"attention_output", kHidden, kHidden, Epilogue::kResidual},
                          {"up", kInner, kHidden, Epilogue::kGeluErf},
                          {"down", kHidden, kInner, Epilogue::kResidual},
                          {"square", 8192, 8192, Epilogue::kPlain}};
  Timer timer;
  for (const Shape& shape : shapes)
    for (const uint32_t rows : {64U, 1024U, 8192U, 32768U}) {
      if (std::strcmp(shape.name, "square") == 0 && rows != 8192) continue;
      BatchHeader header = {};
      header.tokens = rows;
      auto* batch = device_copy(std::vector<BatchHeader>{header});
      auto* x = device_copy(random_halves(size_t{rows} * shape.depth, 1));
      auto* w = device_copy(random_halves(size_t{shape.columns} * shape.depth, 0.05F));
      auto* out = device_copy(std::vector<uint16_t>(size_t{rows} * shape.columns));
      auto* floats = device_copy(std::vector<float>(shape.columns, 0.01F));
      auto* sum = device_copy(std::vector<float>(size_t{rows} * shape.columns, 0.01F));
      auto* statistics = device_copy(std::vector<float2>(rows, make_float2(0, 1)));
      const GemmArguments arguments = {batch, x,   w,          floats, shape.columns, shape.depth,
                                       out,   sum, statistics, floats, floats};
      for (const auto& [tile, kernels] : {std::pair{"large", table.large}, std::pair{"small", table.small}}) {
        const GemmKernel& kernel = kernels[static_cast<size_t>(shape.epilogue)];
        const double ms = timer.median([&](int) {
          cuda(launch(kernel.run, gemm_blocks(rows, shape.columns, kernel.tile_rows, kernel.tile_columns),
                      kernel.threads, kernel.shared_bytes, timer.stream, arguments),
               shape.name);
        });
        std::printf(
            "{\"figure\":\"gemm\",\"name\":\"%s\",\"rows\":%u,\"tile\":\"%s\",\"microseconds\":%.1f,"
            "\"teraflops\":%.1f}\n",
            shape.name, rows, tile, ms * 1e3, 2.0 * rows * shape.columns * shape.depth / ms / 1e9);
      }
      for (void* memory :
           {static_cast<void*>(batch), static_cast<void*>(x), static_cast<void*>(w), static_cast<void*>(out),
            static_cast<void*>(floats), static_cast<void*>(sum), static_cast<void*>(statistics)})
        cudaFree(memory);
    }
}

GtewayCudaConfig gte_small(GtewayCudaType type, uint32_t max_batch_tokens) {
  GtewayCudaConfig config = {};
  config.type = type;
  config.vocabulary = kVocabulary;
  config.positions = kPositions;
  config.hidden = kHidden;
  config.layers = kLayers;
  config.heads = kHeads;
  config.intermediate = kInner;
  config.layer_norm_epsilon = 1e-12F;
  config.max_batch_tokens = max_batch_tokens;
  return config;
}

std::unique_ptr<Model> random_model(GtewayCudaType type, uint32_t max_batch_tokens) {
  const GtewayCudaConfig config = gte_small(type, max_batch_tokens);
  auto model = std::make_unique<Model>(config);
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  for (int32_t tensor = 0; tensor < kTensors; ++tensor)
    for (uint32_t layer = 0; layer < (of_layers(tensor) ? kLayers : 1); ++layer) {
      const TensorForm form = tensor_form(config, tensor);
      const bool gamma = tensor == kGtewayCudaEmbeddingGamma || tensor == kGtewayCudaAttentionGamma ||
                         tensor == kGtewayCudaOutputGamma;
      std::vector<float> values(form.elements);
      for (float& value : values) value = (gamma ? 1.0F : 0.0F) + 0.05F * normal(engine);
      model->set(tensor, layer, 0, values.size(), values.data());
    }
  model->finish();
  return model;
}

struct Texts {
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets{0};

  void add(uint32_t length, std::mt19937& engine) {
    for (uint32_t i = 0; i < length; ++i) ids.push_back(static_cast<int32_t>(engine() % kVocabulary));
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  size_t size() const { return offsets.size() - 1; }
};

// `length` 0: mixed, sorted as the scheduler sorts: mostly short, a long tail.
Texts texts_of(uint32_t length, size_t tokens) {
  std::mt19937 engine(length + 7);
  std::vector<uint32_t> lengths;
  for (size_t total = 0; total < tokens; total += lengths.back()) {
    const double u = std::uniform_real_distribution<double>(0, 1)(engine);
    lengths.push_back(length != 0 ? length : static_cast<uint32_t>(4 * std::pow(128.0, u)));
    if (total + lengths.back() > tokens) break;
  }
  if (lengths.size() > 1) lengths.pop_back();
  std::sort(lengths.begin(), lengths.end());
  Texts texts;
  for (const uint32_t l : lengths) texts.add(l, engine);
  return texts;
}

void embed(Model& model, const Texts& texts, std::vector<float>& out) {
  out.resize(texts.size() * kHidden);
  const GtewayCudaBatch batch = {
      texts.ids.data(), texts.offsets.data(), static_cast<uint32_t>(texts.size()), kGtewayCudaMean, 1, 0,
      out.data()};
  model.embed(batch);
}

// Times every kernel of a batch by events around it.
class KernelTimes final : public Probe {
 public:
  struct Total {
    double ms = 0;
    int calls = 0;
  };
  void before(const char*, cudaStream_t stream) override { record(stream); }
  void after(const char* kernel, cudaStream_t stream) override {
    record(stream);
    names_.push_back(kernel);
  }
  std::map<std::string, Total> totals() {
    std::map<std::string, Total> sums;
    for (size_t i = 0; i < names_.size(); ++i) {
      float ms = 0;
      cuda(cudaEventElapsedTime(&ms, events_[2 * i], events_[2 * i + 1]), "elapsed time");
      sums[names_[i]].ms += static_cast<double>(ms);
      ++sums[names_[i]].calls;
    }
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
    events_.clear();
    names_.clear();
    return sums;
  }

 private:
  void record(cudaStream_t stream) {
    cudaEvent_t event = nullptr;
    cuda(cudaEventCreate(&event), "an event");
    cuda(cudaEventRecord(event, stream), "record");
    events_.push_back(event);
  }
  std::vector<cudaEvent_t> events_;
  std::vector<const char*> names_;
};

// Per layer or per batch: bytes that a kernel has to move through memory if nothing stays in a cache, and its
// operations on the tensor cores.
struct Work {
  double bytes, operations;
};
Work work_of(const std::string& kernel, double tokens, double squares) {
  const double h = kHidden, i = kInner;
  if (kernel == "embed_tokens") return {tokens * 10 * h, 0};
  if (kernel == "qkv") return {tokens * 8 * h + 6 * h * h, tokens * 6 * h * h};
  if (kernel == "attend") return {tokens * 8 * h, squares * 4 * h};
  if (kernel == "attention_output") return {tokens * 10 * h + 2 * h * h, tokens * 2 * h * h};
  if (kernel == "layer_norm") return {tokens * 6 * h, 0};
  if (kernel == "up") return {tokens * (2 * h + 2 * i) + 2 * h * i, tokens * 2 * h * i};
  if (kernel == "down") return {tokens * (2 * i + 8 * h) + 2 * h * i, tokens * 2 * h * i};
  return {tokens * 4 * h, 0};
}

void measure_kernels(double bandwidth) {
  const auto model = random_model(kGtewayCudaBf16, 32768);
  for (const uint32_t length : {16U, 64U, 128U, 512U}) {
    const Texts texts = texts_of(length, 32768);
    std::vector<float> out(texts.size() * kHidden);
    const GtewayCudaBatch batch = {
        texts.ids.data(), texts.offsets.data(), static_cast<uint32_t>(texts.size()), kGtewayCudaMean, 1, 0,
        out.data()};
    std::map<std::string, std::vector<double>> runs;
    std::map<std::string, int> calls;
    for (int round = 0; round < 8; ++round) {
      KernelTimes times;
      model->embed(batch, &times);
      for (const auto& [name, total] : times.totals()) {
        if (round >= 2) runs[name].push_back(total.ms);
        calls[name] = total.calls;
      }
    }
    const auto tokens = static_cast<double>(texts.ids.size());
    for (const auto& [name, times] : runs) {
      const Work work = work_of(name, tokens, tokens * length);
      const double ms = quantile(times, 0.5), n = calls[name];
      std::printf(
          "{\"figure\":\"kernel\",\"length\":%u,\"tokens\":%.0f,\"name\":\"%s\",\"calls\":%.0f,"
          "\"microseconds_each\":%.1f,\"gigabytes_per_second\":%.0f,\"teraflops\":%.1f,"
          "\"memory_floor_microseconds\":%.1f}\n",
          length, tokens, name.c_str(), n, ms * 1e3 / n, work.bytes * n / ms / 1e6,
          work.operations * n / ms / 1e9, work.bytes / bandwidth / 1e3);
    }
  }
}

// Operations of a whole batch: products and attention.
double operations(double tokens, double squares) {
  return kLayers * (tokens * 2 * (4.0 * kHidden * kHidden + 2.0 * kHidden * kInner) + squares * 4 * kHidden);
}

void measure_rate() {
  for (const auto type : {kGtewayCudaBf16, kGtewayCudaFp16})
    for (const uint32_t batch_tokens : {8192U, 16384U, 32768U, 65536U}) {
      if (type == kGtewayCudaFp16 && batch_tokens != 32768) continue;
      const auto model = random_model(type, batch_tokens);
      for (const uint32_t length : {16U, 64U, 128U, 512U, 0U}) {
        const Texts texts = texts_of(length, batch_tokens);
        double squares = 0;
        for (size_t i = 0; i < texts.size(); ++i)
          squares += std::pow(static_cast<double>(texts.offsets[i + 1] - texts.offsets[i]), 2);
        std::vector<float> warm;
        embed(*model, texts, warm);
        const int rounds = static_cast<int>(std::max(8U, 1000000 / batch_tokens));
        std::vector<double> rates;
        for (int sample = 0; sample < 3; ++sample) {
          const auto start = Clock::now();
          std::vector<std::thread> threads;
          for (int t = 0; t < 2; ++t)
            threads.emplace_back([&] {
              std::vector<float> out;
              for (int round = 0; round < rounds; ++round) embed(*model, texts, out);
            });
          for (auto& thread : threads) thread.join();
          rates.push_back(2.0 * rounds * static_cast<double>(texts.ids.size()) / seconds_since(start));
        }
        const double rate = quantile(rates, 0.5);
        const auto tokens = static_cast<double>(texts.ids.size());
        std::printf(
            "{\"figure\":\"rate\",\"dtype\":\"%s\",\"length\":\"%s\",\"batch_tokens\":%u,"
            "\"tokens_per_second\":%.0f,\"texts_per_second\":%.0f,\"teraflops\":%.1f}\n",
            type == kGtewayCudaBf16 ? "bf16" : "fp16", length == 0 ? "mixed" : std::to_string(length).c_str(),
            batch_tokens, rate, rate / tokens * static_cast<double>(texts.size()),
            rate / tokens * operations(tokens, squares) / 1e12);
      }
    }
}

void measure_latency() {
  const auto model = random_model(kGtewayCudaBf16, 8192);
  for (const uint32_t length : {8U, 16U, 32U, 64U, 128U, 256U, 512U}) {
    const Texts text = texts_of(length, length);
    std::vector<float> out;
    std::vector<double> times;
    for (int i = 0; i < 1200; ++i) {
      const auto start = Clock::now();
      embed(*model, text, out);
      if (i >= 200) times.push_back(seconds_since(start) * 1e6);
    }
    std::printf(
        "{\"figure\":\"latency\",\"length\":%u,\"microseconds_p50\":%.1f,\"microseconds_p99\":%.1f}\n",
        length, quantile(times, 0.5), quantile(times, 0.99));
  }
}

// Every text alone, and in two different batches: the bits must be the same.
void measure_batch_effect() {
  for (const auto type : {kGtewayCudaBf16, kGtewayCudaFp16}) {
    const auto model = random_model(type, 32768);
    const Texts texts = texts_of(0, 30000);
    std::vector<float> together, alone, half;
    embed(*model, texts, together);
    Texts second_half;
    const size_t middle = texts.size() / 2;
    second_half.ids.assign(texts.ids.begin() + texts.offsets[middle], texts.ids.end());
    for (size_t i = middle + 1; i <= texts.size(); ++i)
      second_half.offsets.push_back(texts.offsets[i] - texts.offsets[middle]);
    embed(*model, second_half, half);
    size_t different = 0, compared = 0;
    double largest = 0;
    const auto compare = [&](const float* a, const float* b) {
      ++compared;
      different += std::memcmp(a, b, kHidden * sizeof(float)) != 0;
      for (uint32_t c = 0; c < kHidden; ++c)
        largest = std::max(largest, std::fabs(static_cast<double>(a[c]) - static_cast<double>(b[c])));
    };
    for (size_t i = middle; i < texts.size(); ++i)
      compare(&together[i * kHidden], &half[(i - middle) * kHidden]);
    for (size_t i = 0; i < texts.size(); i += 3) {
      Texts one;
      one.ids.assign(texts.ids.begin() + texts.offsets[i], texts.ids.begin() + texts.offsets[i + 1]);
      one.offsets.push_back(static_cast<uint32_t>(one.ids.size()));
      embed(*model, one, alone);
      compare(&together[i * kHidden], alone.data());
    }
    std::printf(
        "{\"figure\":\"batch\",\"dtype\":\"%s\",\"compared\":%zu,\"different\":%zu,\"largest_difference\":%g}"
        "\n",
        type == kGtewayCudaBf16 ? "bf16" : "fp16", compared, different, largest);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  const auto run = [&](const char* section, const std::function<void()>& body) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), section) == wanted.end()) return true;
    try {
      body();
      std::fflush(stdout);
      return true;
    } catch (const std::exception& error) {
      std::printf("{\"figure\":\"failure\",\"section\":\"%s\",\"message\":\"%s\"}\n", section, error.what());
      std::fflush(stdout);
      return false;
    }
  };
  double bandwidth = 4300;  // GB/s; measured by the first section
  bool ok = run("copy", [&] { bandwidth = measure_copy(); });
  ok &= run("latency", measure_latency);
  ok &= run("batch", measure_batch_effect);
  ok &= run("gemm", measure_gemms);
  ok &= run("kernels", [&] { measure_kernels(bandwidth); });
  ok &= run("rate", measure_rate);
  return ok ? 0 : 1;
}
