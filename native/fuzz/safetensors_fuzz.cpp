// libFuzzer target: the input is the length of a config.json, that, and a safetensors file.
#include "fuzz/encoder_use.hpp"
#include "model/read_encoder_safetensors.hpp"

using namespace gteway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const std::string config = input.bytes(input.word() % 65536);
  const auto file = fuzz::file_of(input.rest(), "model.safetensors");
  try {
    fuzz::use(read_encoder_safetensors(file, config, "config.json"));
  } catch (const Error& error) {
    fuzz::expect_refusal(error);
  }
  return 0;
}
