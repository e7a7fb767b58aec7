// libFuzzer target: the input is an ONNX file.
#include "fuzz/encoder_use.hpp"
#include "model/read_encoder_onnx.hpp"

using namespace gteway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = fuzz::file_of(std::string_view(reinterpret_cast<const char*>(data), size), "model.onnx");
  try {
    fuzz::use(read_encoder_onnx(read_onnx(file), file->path()));
  } catch (const Error& error) {
    fuzz::expect_refusal(error);
  }
  return 0;
}
