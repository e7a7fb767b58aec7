// What the tests of the encoder's kernels share: one body for every instruction set, and aligned matrices
// with guards.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "kernels/amx_case.hpp"
#include "kernels/encoder_kernels.hpp"
#include "kernels/kernel_case.hpp"

namespace gteway::test {

using kernels::EncoderTable;

// Registers "encoder kernels: `name` [isa]" for each set that has kernels of the encoder. Those of AMX are
// emulated where the machine lacks them.
inline bool add_for_each_encoder(const std::string& name,
                                 std::function<void(const EncoderTable&, const EncoderTable& scalar)> body) {
  for (const kernels::Implementation& implementation : kernels::implementations()) {
    if (implementation.encoder == nullptr) continue;
    const std::string isa(implementation.isa);
    [[maybe_unused]] const bool emulated = isa == "amx" && !implementation.supported;
    const std::string title = "encoder kernels: " + name + " [" + isa + (emulated ? ", emulated]" : "]");
    add(title, [implementation, isa, emulated, body] {
      const EncoderTable scalar = kernels::encoder_kernels_for("scalar").table;
#if defined(GTEWAY_AMX_EMULATOR)
      if (emulated)
        return with_emulated_amx([&](const kernels::EncoderKernels& set) { body(set.table, scalar); });
#endif
      if (!implementation.supported) SKIP("this machine has no " + isa);
      kernels::EncoderKernels set;
      try {
        set = kernels::encoder_kernels_for(isa);
      } catch (const std::exception& error) {
        SKIP(error.what());
      }
      body(set.table, scalar);
    });
  }
  return true;
}

#define ENCODER_TEST(name)                                                                  \
  static void GTEWAY_JOIN(encoder_test_, __LINE__)(const ::gteway::kernels::EncoderTable&,  \
                                                   const ::gteway::kernels::EncoderTable&); \
  [[maybe_unused]] static const bool GTEWAY_JOIN(encoder_added_, __LINE__) =                \
      ::gteway::test::add_for_each_encoder(name, GTEWAY_JOIN(encoder_test_, __LINE__));     \
  static void GTEWAY_JOIN(encoder_test_, __LINE__)(                                         \
      [[maybe_unused]] const ::gteway::kernels::EncoderTable& kernels,                      \
      [[maybe_unused]] const ::gteway::kernels::EncoderTable& scalar)

// [rows, columns] of T, rows at a stride that is a multiple of 64 bytes, the first aligned to 64. The last
// row ends where the allocation does, up to the 64 bytes that kernels may read; everything outside the
// elements is filled with a pattern.
template <class T>
class Matrix {
 public:
  Matrix(size_t rows, size_t columns, size_t extra_lines = 1)
      : rows_(rows),
        columns_(columns),
        stride_((columns * sizeof(T) + 63) / 64 * 64 + 64 * extra_lines),
        bytes_(rows == 0 ? 64 : (rows - 1) * stride_ + (columns * sizeof(T) + 63) / 64 * 64),
        storage_(static_cast<uint8_t*>(::operator new(bytes_, std::align_val_t(64)))) {
    std::fill_n(storage_.get(), bytes_, kByte);
  }

  T* row(size_t r) { return reinterpret_cast<T*>(storage_.get() + r * stride_); }
  T* data() { return row(0); }
  size_t stride() const { return stride_; }
  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }

  void fill(uint32_t seed, float scale = 1)
    requires std::is_same_v<T, float>
  {
    for (size_t r = 0; r < rows_; ++r) fill_normal(row(r), columns_, seed + static_cast<uint32_t>(r), scale);
  }

  // Whether nothing was written outside columns [first, first + count) of any row.
  bool intact(size_t first, size_t count) const {
    for (size_t i = 0; i < bytes_; ++i) {
      const size_t at = i % stride_ / sizeof(T);
      if ((at < first || at >= first + count) && storage_.get()[i] != kByte) return false;
    }
    return true;
  }
  bool intact() const { return intact(0, columns_); }

 private:
  struct Free {
    void operator()(uint8_t* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  static constexpr uint8_t kByte = 0xa5;
  size_t rows_, columns_, stride_, bytes_;
  std::unique_ptr<uint8_t, Free> storage_;
};

inline float from_bf16(uint16_t half) { return float_of(static_cast<uint32_t>(half) << 16); }
inline uint16_t to_bf16(float x) {
  const uint32_t bits = bits_of(x);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace gteway::test
