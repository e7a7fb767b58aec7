// The memory one batch runs in. Grows to the largest batch seen and is used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "engine/encoder/packed_encoder.hpp"

namespace gteway {

// Rows of one width: where, and bytes between them.
struct Rows {
  std::byte* data = nullptr;
  size_t stride = 0;
  std::byte* row(size_t index) const noexcept { return data + index * stride; }
};

class Workspace {
 public:
  // Room for `tokens` tokens in sequences of at most `longest`, computed by up to `threads` threads. Throws
  // Error{kOutOfMemory}, and keeps what it had.
  void reserve(const PackedEncoder& encoder, size_t tokens, size_t longest, size_t threads);

  Rows x;        // [tokens, hidden] float32: the residual stream
  Rows operand;  // [tokens, hidden]: the operand of a product; in float32 what it is made of
  Rows normed;   // [tokens, hidden] float32: x where norms leave it as it is, else a copy of it, normalised
  Rows qkv;      // [tokens, 3 × hidden] in the attention's precision
  Rows context;  // [tokens, hidden] likewise: the heads' outputs
  Rows inner;    // [tokens, intermediate] as an operand
  Rows gelu;     // [tokens, intermediate] float32 where `inner` is made of it, else `inner`
  kernels::Quantization* operand_quantization = nullptr;  // int8 only
  kernels::Quantization* inner_quantization = nullptr;
  std::byte* scratch(size_t thread) const noexcept { return scratch_ + thread * scratch_bytes_; }

 private:
  AlignedBuffer memory_;
  size_t tokens_ = 0, longest_ = 0, threads_ = 0;
  std::byte* scratch_ = nullptr;
  size_t scratch_bytes_ = 0;
};

}  // namespace gteway
