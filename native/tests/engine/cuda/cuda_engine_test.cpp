// The engine in the addon, through the C ABI, on the emulated library.
#include "engine/cuda/cuda_engine.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/cuda/device_case.hpp"
#include "engine/encoder/random_encoder.hpp"
#include "engine/encoder/reference.hpp"

extern "C" const GtewayCudaApi* gteway_cuda_api(uint32_t abi);

namespace gteway::cuda::test {
namespace {

EncoderConfig small_config() {
  EncoderConfig config;
  config.vocabulary = 90;
  config.positions = 80;
  config.token_types = 2;
  config.hidden = 128;
  config.layers = 3;
  config.heads = 4;
  config.head_size = 32;
  config.intermediate = 256;
  return config;
}

}  // namespace

TEST("cuda engine: weights stored either way round give the reference's vectors") {
  need_device();
  for (const bool out_major : {false, true}) {
    const gteway::test::RandomEncoder encoder(small_config(), out_major);
    const auto engine = make_cuda_encoder(encoder.weights, *gteway_cuda_api(GTEWAY_CUDA_ABI), {});
    CHECK_EQ(engine->info().engine, "encoder");
    CHECK_EQ(engine->info().device, "cuda:0");
    CHECK_EQ(engine->info().dtype, "bf16");
    CHECK_EQ(engine->info().isa, "sm_80");
    CHECK_EQ(engine->info().dimensions, 128u);
    CHECK(engine->cost().max_batch_tokens >= 80 && !engine->cost().padded);
    const std::vector<int32_t> ids{1, 5, 9, 80, 3, 89, 0, 2};
    const std::vector<uint32_t> offsets{0, 3, 8};
    std::vector<float> out(2 * 128, NAN);
    engine->embed({ids, offsets}, Pooling::kMean, true, 1, out);
    for (size_t s = 0; s < 2; ++s) {
      const size_t length = offsets[s + 1] - offsets[s];
      const auto rows = reference_encode(encoder.weights, std::span(ids).subspan(offsets[s], length));
      double ab = 0, aa = 0, bb = 0;
      for (size_t c = 0; c < 128; ++c) {
        double mean = 0;
        for (size_t t = 0; t < length; ++t) mean += rows[t * 128 + c] / static_cast<double>(length);
        const double value = static_cast<double>(out[s * 128 + c]);
        ab += mean * value, aa += mean * mean, bb += value * value;
      }
      CHECK_NEAR(bb, 1, 1e-5);
      CHECK(ab / std::sqrt(aa * bb) > 0.9999);
    }
    engine->embed({{}, {}}, Pooling::kMean, true, 1, {});
    engine->terminate();
    CHECK_THROWS(Error, engine->embed({ids, offsets}, Pooling::kMean, true, 1, out), "closed");
  }
}

TEST("cuda engine: a device that computes something else is not used") {
  need_device();
  const gteway::test::RandomEncoder encoder(small_config(), true);
  static GtewayCudaApi broken;
  broken = *gteway_cuda_api(GTEWAY_CUDA_ABI);
  broken.embed = [](GtewayCudaModel* model, const GtewayCudaBatch* batch, GtewayCudaStatus* status) {
    const int32_t code = gteway_cuda_api(GTEWAY_CUDA_ABI)->embed(model, batch, status);
    if (batch->layers != 0)  // every token's row: one of the third text
      for (uint32_t c = 0; c < 128; ++c) batch->out[40 * 128 + c] = -batch->out[40 * 128 + c];
    return code;
  };
  CHECK_THROWS(Error, make_cuda_encoder(encoder.weights, broken, {}), "not those of the model");
  // Lone texts run as graphs: another way to be wrong.
  broken.embed = [](GtewayCudaModel* model, const GtewayCudaBatch* batch, GtewayCudaStatus* status) {
    const int32_t code = gteway_cuda_api(GTEWAY_CUDA_ABI)->embed(model, batch, status);
    if (batch->sequences == 1) std::reverse(batch->out, batch->out + 128);
    return code;
  };
  CHECK_THROWS(Error, make_cuda_encoder(encoder.weights, broken, {}), "not those of the model");
}

TEST("cuda engine: reasons why not") {
  need_device();
  const gteway::test::RandomEncoder encoder(small_config(), true);
  const GtewayCudaApi& api = *gteway_cuda_api(GTEWAY_CUDA_ABI);
  CHECK_THROWS(Error, make_cuda_encoder(encoder.weights, api, {.dtype = "int8"}),
               "bf16 or fp16, not in int8");
  CHECK_THROWS(Error, make_cuda_encoder(encoder.weights, api, {.device_id = 3}), "GPU 3");
  EncoderConfig odd = small_config();
  odd.heads = 8;
  odd.head_size = 16;
  const gteway::test::RandomEncoder narrow(odd, true);
  CHECK_THROWS(Error, make_cuda_encoder(narrow.weights, api, {}), "head size 16");
  CHECK_THROWS(Error, open_cuda_library("/nowhere/libgteway_cuda.so"), "cannot be opened: /nowhere");
  const auto devices = list_devices(api);
  CHECK_EQ(devices.size(), 1u);
  CHECK_EQ(devices[0].name, "emulated GPU");
  CHECK_EQ(devices[0].compute_capability, "8.0");
  CHECK_EQ(devices[0].driver, "13.0");
}

}  // namespace gteway::cuda::test
