// The encoder's kernels of AMX for tests: on the processor where it has AMX, emulated elsewhere.
#pragma once

#include <cstring>
#include <exception>
#include <functional>
#include <string>

#include "kernels/amx_emulator.hpp"
#include "kernels/encoder_kernels.hpp"
#include "test.hpp"

#if defined(GTEWAY_AMX_EMULATOR)

namespace gteway::test {

using WithKernels = std::function<void(const kernels::EncoderKernels&)>;

// On a machine without AMX. Afterwards no tile may be in use.
inline void with_emulated_amx(const WithKernels& body) {
  if (const char* reason = amx::unavailable()) SKIP(reason);
  kernels::EncoderKernels set;
  try {
    set = kernels::encoder_kernels_for("avx512bf16");
  } catch (const std::exception& error) {
    SKIP(std::string("tiles can be emulated, but not what the kernels do beside them: ") + error.what());
  }
  // As dispatch fills holes.
  using Member = void (*)();
  constexpr size_t kMembers = sizeof(kernels::EncoderTable) / sizeof(Member);
  Member members[kMembers], own[kMembers] = {};
  std::memcpy(members, &set.table, sizeof set.table);
  bool compiled = false;
  for (const kernels::Implementation& implementation : kernels::implementations())
    if (implementation.isa == "amx") {
      std::memcpy(own, implementation.encoder, sizeof set.table);
      compiled = true;
    }
  if (!compiled) SKIP("the compiler this was built with does not know AMX");
  for (size_t i = 0; i < kMembers; ++i)
    if (own[i] != nullptr) members[i] = own[i];
  std::memcpy(&set.table, members, sizeof set.table);
  set.isa = "amx";

  const amx::Emulator emulator;
  body(set);
  CHECK(!amx::Emulator::registers().configured());
}

inline void with_amx(const WithKernels& body) {
  if (amx::hardware())
    body(kernels::encoder_kernels_for("amx"));
  else
    with_emulated_amx(body);
}

}  // namespace gteway::test

#endif
