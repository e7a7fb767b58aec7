// What this processor can do, and the operating system lets us use. Compiled without special flags, asked
// once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gteway::cpu {

// True: the instructions exist and the system saves the registers they use. Names are those of Linux's
// /proc/cpuinfo on x86; on Arm cpuinfo's asimd is `neon`, asimddp `dotprod`, asimdhp `fp16`.
struct Features {
  bool sse4_2 = false;
  bool avx = false;
  bool avx2 = false;
  bool fma = false;
  bool f16c = false;
  bool avx512f = false;
  bool avx512bw = false;
  bool avx512dq = false;
  bool avx512vl = false;
  bool avx512_vnni = false;
  bool avx512_bf16 = false;
  bool avx512_fp16 = false;
  bool avx_vnni = false;
  bool amx_tile = false;  // the hardware has it; Linux wants request_amx() before the first use
  bool amx_bf16 = false;
  bool amx_int8 = false;
  bool neon = false;
  bool dotprod = false;
  bool fp16 = false;
  bool bf16 = false;
  bool i8mm = false;
};

const Features& features() noexcept;

// The processor's name for people, such as "AMD EPYC 9575F 64-Core Processor"; "unknown" where nothing tells
// it.
const std::string& brand();

// Whether this process may use AMX: it is there, and the system granted the use of its tile registers. Asking
// changes the process (every thread's saved state grows by 8 KiB once it touches a tile), so nothing but a
// kernel about to use them should; the system is asked once, and the answer remembered. Thread-safe.
bool request_amx() noexcept;

// For listing and for tests.
struct NamedFeature {
  std::string_view name;
  bool Features::*member;
};
std::span<const NamedFeature> named_features() noexcept;

// The registers that decide on x86. Bits are numbered as in Intel's Software Developer's Manual, volume 2A,
// CPUID.
struct X86Registers {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0, leaf7_ecx = 0, leaf7_edx = 0;  // leaf 7, subleaf 0
  uint32_t leaf7_1_eax = 0;                              // leaf 7, subleaf 1
  uint64_t xcr0 = 0;                                     // 0 where the system does not use XSAVE
};
Features decode_x86(const X86Registers& registers) noexcept;

}  // namespace gteway::cpu
