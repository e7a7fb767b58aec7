#include "engine/encoder/packed_encoder.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/thread_name.hpp"
#include "kernels/encoder_layout.hpp"

namespace gteway {
namespace {

// Inputs that share one quantisation scale. See native/src/kernels/README.md for what others cost and gain.
constexpr size_t kQuantizationGroup = 384;

// Rows of the word table that one job converts.
constexpr size_t kWordRows = 1024;

// Columns of a linear layer that one job packs.
constexpr size_t kPackColumns = 4 * kernels::kPanelColumns;

struct Plan {
  Precision products;   // Q, K, V, up and down
  Precision attention;  // and the product behind it
  Precision words;
};

Plan plan_for(std::string_view dtype, const kernels::EncoderKernels& kernels) {
  if (dtype == "fp32") return {Precision::kF32, Precision::kF32, Precision::kF32};
  if (dtype == "bf16") return {Precision::kBf16, Precision::kBf16, Precision::kBf16};
  // In 8 bits, the heads' outputs lose most; they are a tenth of the work.
  const bool has_bf16 = kernels.isa == "scalar" || kernels.source("linear_bf16") != "scalar";
  return {Precision::kInt8, has_bf16 ? Precision::kBf16 : Precision::kF32, Precision::kBf16};
}

// Hands out one buffer's bytes: once to count them, once more to place them.
class Arena {
 public:
  explicit Arena(std::byte* base) : base_(base) {}
  std::byte* take(size_t bytes) {
    const size_t at = used_;
    used_ += kernels::round_up(bytes, 64);
    return base_ == nullptr ? nullptr : base_ + at;
  }
  size_t used() const { return used_; }

 private:
  std::byte* base_;
  size_t used_ = 0;
};

struct Packing {
  kernels::PackedBytes* bytes;
  kernels::PackLinear* pack;
  kernels::MultiplyLinear* multiply;
};

Packing packing_for(const kernels::EncoderTable& table, Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return {table.packed_bytes_f32, table.pack_linear_f32, table.linear_f32};
    case Precision::kBf16:
      return {table.packed_bytes_bf16, table.pack_linear_bf16, table.linear_bf16};
    case Precision::kInt8:
      break;
  }
  return {table.packed_bytes_int8, table.pack_linear_int8, table.linear_int8};
}

// Transient memory of packing beside what it makes: each thread holds one matrix.
constexpr size_t kMostPackingBytes = size_t{256} << 20;

// What one thread reads into, again and again.
struct Scratch {
  std::vector<float> stored, columns, bias;
};

// Columns [first, first + count) of W, which lies in `stored` as [in, out]: row j of the result is column
// first + j.
void turn_columns(const Linear& layer, const std::vector<float>& stored, size_t first, size_t count,
                  std::vector<float>& to) {
  // Sixteen inputs at a time, so that each line of the result is written whole.
  constexpr size_t kInputs = 16;
  for (size_t k = 0; k < layer.in; k += kInputs) {
    const size_t inputs = std::min(kInputs, layer.in - k);
    for (size_t j = 0; j < count; ++j)
      for (size_t i = 0; i < inputs; ++i) to[j * layer.in + k + i] = stored[(k + i) * layer.out + first + j];
  }
}

// Packs columns [first, first + count) of `layer` as columns `before` + first and on of `shape`.
void pack_columns(const Linear& layer, size_t first, size_t count, float scale, kernels::PackLinear* pack,
                  const kernels::LinearShape& shape, size_t before, std::byte* to, Scratch& scratch) {
  // Bytes of a file are read in the order they lie in it: of an [in, out] matrix that is all of it at once.
  if (!layer.out_major) {
    scratch.stored.resize(layer.in * layer.out);
    layer.weight.read(0, scratch.stored.size(), scratch.stored.data());
  }
  for (size_t done = 0; done < count; done += kPackColumns) {
    const size_t at = first + done, columns = std::min(kPackColumns, count - done);
    scratch.columns.resize(columns * layer.in);
    scratch.bias.resize(columns);
    if (layer.out_major)
      layer.weight.read(at * layer.in, scratch.columns.size(), scratch.columns.data());
    else
      turn_columns(layer, scratch.stored, at, columns, scratch.columns);
    layer.bias.read(at, columns, scratch.bias.data());
    if (scale != 1) {
      for (float& value : scratch.columns) value *= scale;
      for (float& value : scratch.bias) value *= scale;
    }
    pack(shape, scratch.columns.data(), scratch.bias.data(), before + at, columns, to);
  }
}

using Job = std::function<void(Scratch&)>;

// Runs all jobs on `threads` threads; throws the first exception of one, or Error{kAborted} soon after
// `stop`.
void run_jobs(const std::vector<Job>& jobs, size_t threads, const StopFlag& stop) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::optional<Error> failure;
  const auto work = [&]() noexcept {
    try {
      Scratch scratch;
      for (size_t i = next++; i < jobs.size(); i = next++) {
        stop.throw_if_stopped();
        jobs[i](scratch);
      }
    } catch (...) {
      next = jobs.size();
      const std::lock_guard lock(mutex);
      if (!failure) failure = current_error();
    }
  };
  std::vector<std::thread> helpers;
  try {
    while (helpers.size() + 1 < threads)
      helpers.emplace_back([&] {
        set_thread_name("gteway-pack");
        work();
      });
  } catch (const std::exception&) {
    // Fewer threads only take longer.
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (failure) throw Error(*std::move(failure));
}

}  // namespace

PackedEncoder::PackedEncoder(const EncoderWeights& weights, std::string_view dtype_, size_t threads,
                             const StopFlag& stop, const kernels::EncoderKernels& set)
    : config(weights.config), dtype(dtype_) {
  if (const std::optional<std::string> reason = encoder_unavailable(config, dtype))
    throw Error(ErrorCode::kModelUnsupported, "the encoder cannot run this model: " + *reason);
  kernel = set.table;
  const Plan plan = plan_for(dtype, set);
  words_precision = plan.words;
  attention_precision = plan.attention;
  const size_t hidden = config.hidden;
  std::vector<Job> jobs;

  // Counts bytes while `base` is null; then places everything and lists what fills it.
  const auto lay_out = [&](std::byte* base) {
    Arena arena(base);
    const auto place_vector = [&](const Tensor& tensor) {
      float* const to = reinterpret_cast<float*>(arena.take(hidden * sizeof(float)));
      if (base != nullptr) tensor.read(0, hidden, to);
      return to;
    };
    const auto place_norm = [&](const LayerNorm& norm) {
      const float* const gamma = place_vector(norm.gamma);
      return kernels::LayerNormalization{gamma, place_vector(norm.beta), config.layer_norm_epsilon};
    };
    // Layers beside each other, as one.
    const auto place_linear = [&](std::initializer_list<const Linear*> parts, Precision precision,
                                  float scale) {
      const Packing packing = packing_for(kernel, precision);
      PackedLinear linear{precision, {(*parts.begin())->in, 0, 0}, nullptr, packing.multiply};
      if (precision == Precision::kInt8) linear.shape.group = kQuantizationGroup;
      for (const Linear* part : parts) linear.shape.out += part->out;
      std::byte* const to = arena.take(packing.bytes(linear.shape));
      linear.data = to;
      size_t before = 0;
      for (const Linear* part : parts) {
        const size_t step = part->out_major ? kPackColumns : part->out;
        for (size_t first = 0; base != nullptr && first < part->out; first += step)
          jobs.push_back([part, pack = packing.pack, shape = linear.shape, first,
                          count = std::min(step, part->out - first), before, scale, to](Scratch& scratch) {
            pack_columns(*part, first, count, scale, pack, shape, before, to, scratch);
          });
        before += part->out;
        scale = 1;  // of the first part only: the queries
      }
      return linear;
    };

    const float query_scale =
        static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(config.head_size)));
    layers.clear();
    for (const EncoderLayer& layer : weights.layers)
      layers.push_back({
          .qkv = place_linear({&layer.query, &layer.key, &layer.value}, plan.products, query_scale),
          .attention_output = place_linear({&layer.attention_output}, plan.attention, 1),
          .up = place_linear({&layer.up}, plan.products, 1),
          .down = place_linear({&layer.down}, plan.products, 1),
          .attention_norm = place_norm(layer.attention_norm),
          .output_norm = place_norm(layer.output_norm),
      });
    embedding_norm = place_norm(weights.embedding_norm);

    float* const position_rows =
        reinterpret_cast<float*>(arena.take(config.positions * hidden * sizeof(float)));
    positions = position_rows;
    std::byte* const word_rows = arena.take(config.vocabulary * hidden * element_bytes(plan.words));
    words = word_rows;
    if (base == nullptr) return arena.used();

    jobs.push_back([&, position_rows](Scratch&) {
      std::vector<float> type(hidden);
      weights.token_types.read(0, hidden, type.data());
      weights.positions.read(0, config.positions * hidden, position_rows);
      for (size_t i = 0; i < config.positions * hidden; ++i) position_rows[i] += type[i % hidden];
    });
    for (size_t row = 0; row < config.vocabulary; row += kWordRows)
      jobs.push_back([&, row, word_rows](Scratch& scratch) {
        const size_t first = row * hidden, count = std::min(kWordRows, config.vocabulary - row) * hidden;
        if (plan.words == Precision::kF32)
          return weights.words.read(first, count, reinterpret_cast<float*>(word_rows) + first);
        scratch.stored.resize(count);
        weights.words.read(first, count, scratch.stored.data());
        kernels::active().f32_to_bf16(scratch.stored.data(), count,
                                      reinterpret_cast<uint16_t*>(word_rows) + first);
      });
    return arena.used();
  };
  memory_ = AlignedBuffer(lay_out(nullptr));
  lay_out(memory_.data());
  const size_t matrix_bytes = hidden * std::max(hidden, config.intermediate) * sizeof(float);
  run_jobs(jobs, std::clamp<size_t>(kMostPackingBytes / matrix_bytes, 1, std::max<size_t>(threads, 1)), stop);
}

std::optional<std::string> encoder_unavailable(const EncoderConfig& config, std::string_view dtype) {
  const auto number = [](size_t value) { return std::to_string(value); };
  if (dtype != "fp32" && dtype != "bf16" && dtype != "int8")
    return "it computes in fp32, bf16 or int8, not in " + std::string(dtype);
  if (config.head_size != 32 && config.head_size != 64)
    return "heads have " + number(config.head_size) + " dimensions, and only 32 and 64 are written";
  if (config.hidden == 0 || config.heads * config.head_size != config.hidden)
    return number(config.heads) + " heads of " + number(config.head_size) + " are not the hidden size, " +
           number(config.hidden);
  if (config.hidden % kernels::kPanelColumns != 0)
    return "the hidden size, " + number(config.hidden) + ", is no multiple of 32";
  if (config.intermediate == 0 || config.intermediate % kernels::kPanelColumns != 0)
    return "the intermediate size, " + number(config.intermediate) + ", is no multiple of 32";

  // On a processor without any of the sets the scalar kernels run; where there are better ones, they would
  // only stand in for what is missing.
  const kernels::EncoderKernels& set = kernels::encoder_kernels();
  if (kernels::active_isa() == "scalar") return std::nullopt;
  const std::string in_use(kernels::active_isa());
  if (set.source("linear_f32") == "scalar") return "it has no kernels for " + in_use;
  if (dtype == "bf16" && set.source("linear_bf16") == "scalar")
    return "bf16 needs AVX-512 BF16 or AMX, and the instruction set in use is " + in_use;
  if (dtype == "int8" && set.source("linear_int8") == "scalar")
    return "int8 needs AVX-512 VNNI, AVX-VNNI or AMX, and the instruction set in use is " + in_use;
  return std::nullopt;
}

std::shared_ptr<const PackedEncoder> pack_encoder(const EncoderWeights& weights, std::string_view dtype,
                                                  size_t threads, const StopFlag& stop) {
  return std::make_shared<const PackedEncoder>(weights, dtype, threads, stop);
}

size_t packed_bytes(const PackedEncoder& packed) noexcept { return packed.bytes(); }

}  // namespace gteway
