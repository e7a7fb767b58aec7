// Model files that another program writes to while they are loaded.
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "engine/encoder/encoder_loading.hpp"
#include "model/bert_graph.hpp"
#include "model/read_encoder.hpp"
#include "temporary_file.hpp"
#include "test.hpp"

namespace gteway {
namespace {

// The same graph with other numbers, so that both files have one layout.
std::string model_of(float factor) {
  test::BertGraph bert;
  for (test::TensorToWrite& tensor : bert.graph().initializers) {
    if (tensor.type != 1 || tensor.dims.size() != 2) continue;
    for (size_t i = 0; i < tensor.raw.size(); i += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, tensor.raw.data() + i, sizeof value);
      value = (value - 0.5F) * factor * static_cast<float>(1 + i % 7) / 7;
      std::memcpy(tensor.raw.data() + i, &value, sizeof value);
    }
  }
  return test::write_model(bert.graph());
}

std::vector<float> vector_of(Engine& engine) {
  const int32_t ids[] = {1, 7, 20, 49};
  const uint32_t offsets[] = {0, 4};
  std::vector<float> out(64);
  engine.embed({ids, offsets}, Pooling::kMean, true, 1, out);
  return out;
}

EngineOptions options_for(const std::string& path) {
  EngineOptions options;
  options.kind = EngineKind::kEncoder;
  options.model_path = path;
  options.dtype = "fp32";
  options.threads = 2;
  return options;
}

// Over the file that is there, as editors and careless downloads do.
void overwrite(const std::string& path, const std::string& content) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file << content << std::flush;
}

TEST(
    "encoder loading: a file that is cut or overwritten meanwhile is an error or the right vectors, never "
    "else") {
  const std::string old_model = model_of(0.3F), new_model = model_of(-0.2F);
  CHECK_EQ(old_model.size(), new_model.size());
  const test::TemporaryFile kept(".onnx", old_model), other(".onnx", new_model);
  const std::vector<float> old_vector = vector_of(*load_encoder(options_for(kept.path())));
  const std::vector<float> new_vector = vector_of(*load_encoder(options_for(other.path())));
  CHECK(old_vector != new_vector);

  std::mt19937 random(12);
  size_t refused = 0, right = 0;
  const int rounds = 300;
  for (int round = 0; round < rounds; ++round) {
    std::ofstream(kept.path(), std::ios::binary) << old_model << std::flush;
    // Not fresh, so that the load begins at once.
    std::filesystem::last_write_time(kept.path(),
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    const auto delay = std::chrono::microseconds(random() % 6000);
    const int how = static_cast<int>(random() % 3);
    const size_t length = random() % old_model.size();
    std::atomic<bool> begun = false;
    std::thread writer([&] {
      while (!begun) std::this_thread::yield();
      std::this_thread::sleep_for(delay);
      if (how == 0) std::filesystem::resize_file(kept.path(), length);
      if (how == 1) overwrite(kept.path(), new_model);
      if (how == 2) overwrite(kept.path(), new_model.substr(0, length));
    });
    begun = true;
    try {
      const std::vector<float> vector = vector_of(*load_encoder(options_for(kept.path())));
      if (vector == old_vector || vector == new_vector)
        ++right;
      else
        test::fail(__FILE__, __LINE__, "vectors of neither model in round " + std::to_string(round));
    } catch (const Error& error) {
      ++refused;
      CHECK(error.code == ErrorCode::kModelInvalid || error.code == ErrorCode::kModelUnsupported);
    }
    writer.join();
  }
  CHECK_EQ(refused + right, static_cast<size_t>(rounds));
}

TEST("encoder loading: a file that was changed before the load's end is named as the reason") {
  const test::TemporaryFile kept(".onnx", model_of(0.3F));
  const EncoderWeights weights = read_encoder(kept.path(), "");
  overwrite(kept.path(), model_of(0.2F));
  CHECK_THROWS(Error, weights.check_unchanged(), "was changed while it was read");
}

}  // namespace
}  // namespace gteway
