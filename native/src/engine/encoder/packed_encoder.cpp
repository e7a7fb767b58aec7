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

// Columns [first, first + count) of W, which lies in `stored` as [in, stored_width]: row j of the result is
// column first + j.
void turn_columns(const Linear& layer, const std::vector<float>& stored, size_t first, size_t count,
                  std::vector<float>& to) {
  // Sixteen inputs at a time, so that each line of the result is written whole.
  constexpr size_t kInputs = 16;
  const float* const from = stored.data() + layer.first_out + first;
  for (size_t k = 0; k < layer.in; k += kInputs) {
    const size_t inputs = std::min(kInputs, layer.in - k);
    for (size_t j = 0; j < count; ++j)
      for (size_t i = 0; i < inputs; ++i) to[j * layer.in + k + i] = from[(k + i) * layer.stored_width() + j];
  }
}

// Packs columns [first, first + count) of `layer` as columns `before` + first and on of `shape`.
void pack_columns(const Linear& layer, size_t first, size_t count, float scale, kernels::PackLinear* pack,
                  const kernels::LinearShape& shape, size_t before, std::byte* to, Scratch& scratch) {
  // Bytes of a file are read in the order they lie in it: of an [in, out] matrix that is all of it at once.
  if (!layer.out_major) {
    scratch.stored.resize(layer.in * layer.stored_width());
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
    if (layer.bias.elements > 0)
      layer.bias.read(at, columns, scratch.bias.data());
    else
      std::fill(scratch.bias.begin(), scratch.bias.end(), 0.0F);
    if (scale != 1) {
      for (float& value : scratch.columns) value *= scale;
      for (float& value : scratch.bias) value *= scale;
    }
    pack(shape, scratch.columns.data(), scratch.bias.data(), before + at, columns, to);
  }
}

// Packs all of a layer as float32, with columns of zeros behind its own up to the shape's.
void pack_padded(const Linear& layer, kernels::PackLinear* pack, const kernels::LinearShape& shape,
                 std::byte* to, Scratch& scratch) {
  scratch.columns.assign(shape.out * layer.in, 0);
  scratch.bias.assign(shape.out, 0);
  if (layer.out_major) {
    layer.weight.read(0, layer.out * layer.in, scratch.columns.data());
  } else {
    scratch.stored.resize(layer.in * layer.stored_width());
    layer.weight.read(0, scratch.stored.size(), scratch.stored.data());
    turn_columns(layer, scratch.stored, 0, layer.out, scratch.columns);
  }
  if (layer.bias.elements > 0) layer.bias.read(0, layer.out, scratch.bias.data());
  pack(shape, scratch.columns.data(), scratch.bias.data(), 0, shape.out, to);
}

constexpr double kLog2E = 1.4426950408889634;

// Cosines, and behind them sines, of each position's angles; in float32, as PyTorch computes them.
void tabulate_turns(const std::vector<float>& rotation, size_t positions, float* to) {
  const size_t half = rotation.size();
  for (size_t position = 0; position < positions; ++position, to += 2 * half)
    for (size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * rotation[i];
      to[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
      to[half + i] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
}

// For each head, the biases of the distances from 1 - positions on; `stride` for each head.
void tabulate_biases(const RelativeBias& bias, const EncoderConfig& config, size_t stride, float* to) {
  std::vector<float> table(bias.table.elements);
  bias.table.read(0, table.size(), table.data());
  const auto before = static_cast<int64_t>(config.positions) - 1;
  for (size_t at = 0; at < stride; ++at) {
    const size_t bucket = relative_bucket(static_cast<int64_t>(at) - before, bias.buckets);
    for (size_t head = 0; head < config.heads; ++head)
      to[head * stride + at] = static_cast<float>(kLog2E * table[bucket * config.heads + head]);
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
    // Zeros where there is none: the memory is.
    const auto place_vector = [&](const Tensor& tensor) {
      float* const to = reinterpret_cast<float*>(arena.take(hidden * sizeof(float)));
      if (base != nullptr && tensor.elements > 0) tensor.read(0, hidden, to);
      if (base != nullptr && tensor.elements == 0) std::fill_n(to, hidden, 0.0F);
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

    const float query_scale = static_cast<float>(kLog2E / std::sqrt(static_cast<double>(config.head_size)));
    // Layers that turn alike share a table.
    const auto place_turns = [&](size_t layer) -> const float* {
      const std::vector<float>& rotation = config.attention_of(layer).rotation;
      if (rotation.empty()) return nullptr;
      for (size_t i = 0; i < layer; ++i)
        if (config.attention_of(i).rotation == rotation) return layers[i].turns;
      float* const to =
          reinterpret_cast<float*>(arena.take(config.positions * config.head_size * sizeof(float)));
      if (base != nullptr)
        jobs.push_back([&, to](Scratch&) { tabulate_turns(rotation, config.positions, to); });
      return to;
    };
    layers.clear();
    for (const EncoderLayer& layer : weights.layers) {
      const size_t i = layers.size();
      layers.push_back({
          .qkv = place_linear({&layer.query, &layer.key, &layer.value}, plan.products, query_scale),
          .attention_output = place_linear({&layer.attention_output}, plan.attention, 1),
          .gate = config.gated ? place_linear({&layer.gate}, plan.products, 1) : PackedLinear{},
          .up = place_linear({&layer.up}, plan.products, 1),
          .down = place_linear({&layer.down}, plan.products, 1),
          .attention_norm = layer.attention_norm.gamma.elements > 0 ? place_norm(layer.attention_norm)
                                                                    : kernels::LayerNormalization{},
          .output_norm = place_norm(layer.output_norm),
          .turns = place_turns(i),
          .reach = config.attention_of(i).reach,
      });
    }
    embedding_norm = place_norm(weights.embedding_norm);
    if (config.norm_place == NormPlace::kPre) final_norm = place_norm(weights.final_norm);

    if (weights.relative_bias.table.elements > 0) {
      bias_stride_ = 2 * config.positions - 1 + kernels::kPanelColumns;
      float* const to = reinterpret_cast<float*>(arena.take(config.heads * bias_stride_ * sizeof(float)));
      biases_ = to;
      if (base != nullptr)
        jobs.push_back(
            [&, to](Scratch&) { tabulate_biases(weights.relative_bias, config, bias_stride_, to); });
    }

    if (weights.head) {
      const auto place_padded = [&](const Linear& layer) {
        const Packing packing = packing_for(kernel, Precision::kF32);
        const kernels::LinearShape shape{layer.in, kernels::round_up(layer.out, kernels::kPanelColumns), 0};
        std::byte* const to = arena.take(packing.bytes(shape));
        if (base != nullptr)
          jobs.push_back([&layer, pack = packing.pack, shape, to](Scratch& scratch) {
            pack_padded(layer, pack, shape, to, scratch);
          });
        return PackedLinear{Precision::kF32, shape, to, packing.multiply};
      };
      head = PackedHead{.mean = weights.head->mean,
                        .dense = place_padded(weights.head->dense),
                        .activation = weights.head->activation,
                        .norm = weights.head->norm.gamma.elements > 0 ? place_norm(weights.head->norm)
                                                                      : kernels::LayerNormalization{},
                        .classifier = place_padded(weights.head->classifier),
                        .labels = weights.head->classifier.out};
    }

    position_rows = config.has_positions ? gteway::position_rows(config) : 1;
    types = weights.head ? std::max<size_t>(config.token_types, 1) : 1;
    const size_t table = position_rows * hidden;
    float* const tables = reinterpret_cast<float*>(arena.take(types * table * sizeof(float)));
    positions = tables;
    std::byte* const word_rows = arena.take(config.vocabulary * hidden * element_bytes(plan.words));
    words = word_rows;
    if (base == nullptr) return arena.used();

    for (size_t type = 0; type < types; ++type)
      jobs.push_back([&, type, table, to = tables + type * table](Scratch&) {
        std::vector<float> of_type(hidden);
        if (config.token_types > 0) weights.token_types.read(type * hidden, hidden, of_type.data());
        if (config.has_positions)
          weights.positions.read(0, table, to);
        else
          std::fill_n(to, table, 0.0F);
        for (size_t i = 0; i < table; ++i) to[i] += of_type[i % hidden];
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
