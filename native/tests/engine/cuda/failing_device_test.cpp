// What only the emulation can do: run out of memory, lose a device, forbid graphs. Not compiled for a GPU.
#include <string>

#include "engine/cuda/random_encoder.hpp"

namespace gteway::cuda::test {
namespace {

const GtewayCudaApi& api() { return *gteway_cuda_api(GTEWAY_CUDA_ABI); }

// Puts the emulated machine back as it was.
struct Restore {
  emulation::Machine before = emulation::machine();
  ~Restore() {
    emulation::machine() = before;
    emulation::recover();
  }
};

struct Result {
  int32_t code;
  std::string message;
  std::vector<float> vector;
};

Result embed_one(GtewayCudaModel* model, uint32_t tokens = 8) {
  std::vector<int32_t> ids(tokens, 7);
  const uint32_t offsets[] = {0, tokens};
  std::vector<float> out(128, NAN);
  const GtewayCudaBatch batch = {ids.data(), offsets, 1, kGtewayCudaMean, 1, 0, out.data()};
  GtewayCudaStatus status = {};
  const int32_t code = api().embed(model, &batch, &status);
  return {code, status.message, out};
}

GtewayCudaModel* load(const RandomEncoder& encoder, uint32_t* max_batch_tokens = nullptr) {
  GtewayCudaStatus status = {};
  GtewayCudaModel* model = nullptr;
  if (api().create(&encoder.config, &model, &status) != kGtewayCudaOk)
    throw std::runtime_error(status.message);
  encoder.give_to(api(), model);
  uint32_t tokens = 0;
  if (api().finish(model, &tokens, &status) != kGtewayCudaOk) {
    api().destroy(model);
    throw std::runtime_error(status.message);
  }
  if (max_batch_tokens != nullptr) *max_batch_tokens = tokens;
  return model;
}

}  // namespace

TEST("cuda failures: with little memory batches become smaller; with less still, an error that says so") {
  need_device();
  const Restore restore;
  const size_t before = emulation::allocated_bytes();
  const RandomEncoder encoder(kGtewayCudaBf16, 128, 4, 1);
  emulation::machine().memory = before + (16 << 20);
  uint32_t tokens = 0;
  GtewayCudaModel* model = load(encoder, &tokens);
  CHECK(tokens >= 160 && tokens < 32768);
  CHECK_EQ(embed_one(model).code, kGtewayCudaOk);
  api().destroy(model);
  CHECK_EQ(emulation::allocated_bytes(), before);

  emulation::machine().memory = before + (500 << 10);
  CHECK_THROWS(std::runtime_error, load(encoder), "GPU 0 (emulated GPU): allocating");
  emulation::machine().memory = before + 1000;
  CHECK_THROWS(std::runtime_error, load(encoder), "MiB for the model's weights");
  CHECK_EQ(emulation::allocated_bytes(), before);
}

TEST("cuda failures: a lost device names itself, stays lost, and the model can be destroyed") {
  need_device();
  const Restore restore;
  const size_t before = emulation::allocated_bytes();
  GtewayCudaModel* model = load(RandomEncoder(kGtewayCudaBf16, 128, 4, 1));
  CHECK_EQ(embed_one(model).code, kGtewayCudaOk);
  emulation::break_device(cudaErrorECCUncorrectable);
  for (int i = 0; i < 2; ++i) {
    const Result lost = embed_one(model, 20);
    CHECK_EQ(lost.code, kGtewayCudaDeviceLost);
    CHECK(lost.message.find("GPU 0 (emulated GPU) failed while waiting") != std::string::npos);
    CHECK(lost.message.find("cudaErrorECCUncorrectable") != std::string::npos);
  }
  emulation::break_device(cudaSuccess);
  api().destroy(model);
  CHECK_EQ(emulation::allocated_bytes(), before);
}

TEST("cuda failures: no device, a device that does not exist, one that is too old") {
  const Restore restore;
  const RandomEncoder encoder(kGtewayCudaBf16, 128, 4, 1);
  RandomEncoder second = encoder;
  second.config.device = 1;
  CHECK_THROWS(std::runtime_error, load(second), "GPU 1: cudaErrorInvalidDevice");
  emulation::machine().major = 7;
  emulation::machine().minor = 5;
  CHECK_THROWS(std::runtime_error, load(encoder), "has compute capability 7.5; 8.0 or later");
  emulation::machine().devices = 0;
  int32_t count = -1;
  GtewayCudaStatus status = {};
  CHECK_EQ(api().device_count(&count, &status), kGtewayCudaDeviceUnavailable);
  CHECK(std::string(status.message).find("cudaErrorNoDevice") != std::string::npos);
}

TEST("cuda failures: several devices by number, described") {
  const Restore restore;
  emulation::machine().devices = 2;
  GtewayCudaDevice device = {};
  GtewayCudaStatus status = {};
  CHECK_EQ(api().describe_device(1, &device, &status), kGtewayCudaOk);
  CHECK_EQ(std::string(device.name), "emulated GPU");
  CHECK_EQ(device.compute_major, 8);
  CHECK_EQ(device.driver, 13000);
  need_device();
  RandomEncoder encoder(kGtewayCudaBf16, 128, 4, 1);
  encoder.config.max_batch_tokens = 160;
  GtewayCudaModel* first = load(encoder);
  encoder.config.device = 1;
  GtewayCudaModel* second = load(encoder);
  CHECK(embed_one(first).vector == embed_one(second).vector);
  api().destroy(first);
  api().destroy(second);
}

TEST("cuda failures: lone texts run as graphs, captured once; where graphs cannot be made, without") {
  need_device();
  const Restore restore;
  GtewayCudaModel* model = load(RandomEncoder(kGtewayCudaBf16, 128, 4, 1));
  const size_t before = emulation::graphs_launched();
  const Result first = embed_one(model), second = embed_one(model);
  CHECK_EQ(emulation::graphs_launched(), before + 2);
  CHECK(first.vector == second.vector);
  emulation::machine().graphs = false;
  const Result longer = embed_one(model, 40);  // another class of lengths, to be captured now
  CHECK_EQ(longer.code, kGtewayCudaOk);
  const Result without = embed_one(model);
  CHECK_EQ(emulation::graphs_launched(), before + 2);
  CHECK(first.vector == without.vector);
  api().destroy(model);
}

}  // namespace gteway::cuda::test
