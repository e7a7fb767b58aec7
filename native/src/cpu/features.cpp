#include "cpu/features.hpp"

#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#define GTEWAY_X86 1
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
#define GTEWAY_ARM64 1
#endif

#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32) && defined(GTEWAY_ARM64)
#include <windows.h>
#endif

namespace gteway::cpu {
namespace {

bool bit(uint64_t word, unsigned index) { return (word >> index & 1) != 0; }

#if defined(GTEWAY_X86)

struct Leaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf cpuid(uint32_t leaf, uint32_t subleaf) {
#if defined(_MSC_VER)
  int r[4];
  __cpuidex(r, static_cast<int>(leaf), static_cast<int>(subleaf));
  return {uint32_t(r[0]), uint32_t(r[1]), uint32_t(r[2]), uint32_t(r[3])};
#else
  Leaf r;
  __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
  return r;
#endif
}

// Extended control register 0. Only where CPUID says that the system enabled it: elsewhere the instruction
// faults.
uint64_t xgetbv0() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
#endif
}

X86Registers read_registers() {
  X86Registers registers;
  const uint32_t highest = cpuid(0, 0).eax;
  registers.leaf1_ecx = cpuid(1, 0).ecx;
  if (highest >= 7) {
    const Leaf leaf7 = cpuid(7, 0);
    registers.leaf7_ebx = leaf7.ebx;
    registers.leaf7_ecx = leaf7.ecx;
    registers.leaf7_edx = leaf7.edx;
    if (leaf7.eax >= 1) registers.leaf7_1_eax = cpuid(7, 1).eax;
  }
  constexpr unsigned kOsXsave = 27;
  if (bit(registers.leaf1_ecx, kOsXsave)) registers.xcr0 = xgetbv0();
  return registers;
}

Features detect() { return decode_x86(read_registers()); }

std::string read_brand() {
  constexpr uint32_t kFirst = 0x80000002, kLast = 0x80000004;
  if (cpuid(0x80000000, 0).eax < kLast) return {};
  char text[3 * sizeof(Leaf) + 1] = {};
  for (uint32_t leaf = kFirst; leaf <= kLast; ++leaf) {
    const Leaf part = cpuid(leaf, 0);
    std::memcpy(text + (leaf - kFirst) * sizeof(Leaf), &part, sizeof(Leaf));
  }
  return text;
}

#elif defined(GTEWAY_ARM64) && defined(__linux__)

// Bits of AT_HWCAP and AT_HWCAP2, from Linux's Documentation/arch/arm64/elf_hwcaps.rst and uapi/asm/hwcap.h;
// older systems' headers lack the newer names.
Features detect() {
  const uint64_t hwcap = getauxval(AT_HWCAP), hwcap2 = getauxval(AT_HWCAP2);
  Features has;
  has.neon = bit(hwcap, 1);
  has.fp16 = bit(hwcap, 10);
  has.dotprod = bit(hwcap, 20);
  has.i8mm = bit(hwcap2, 13);
  has.bf16 = bit(hwcap2, 14);
  return has;
}

// Arm has no name in registers; Linux prints the implementer's and the part's number.
std::string read_brand() {
  std::ifstream file("/proc/cpuinfo");
  std::string implementer, part;
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    const std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) return value;
    if (line.starts_with("CPU implementer")) implementer = value;
    if (line.starts_with("CPU part")) part = value;
    if (!implementer.empty() && !part.empty()) return "Arm implementer " + implementer + " part " + part;
  }
  return {};
}

#elif defined(GTEWAY_ARM64) && defined(__APPLE__)

bool sysctl_flag(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

Features detect() {
  Features has;
  has.neon = true;
  has.dotprod = sysctl_flag("hw.optional.arm.FEAT_DotProd");
  has.fp16 = sysctl_flag("hw.optional.arm.FEAT_FP16");
  has.bf16 = sysctl_flag("hw.optional.arm.FEAT_BF16");
  has.i8mm = sysctl_flag("hw.optional.arm.FEAT_I8MM");
  return has;
}

std::string read_brand() {
  char text[128] = {};
  size_t size = sizeof text - 1;
  return sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0) == 0 ? text : "";
}

#else

Features detect() {
  Features has;
#if defined(GTEWAY_ARM64)
  has.neon = true;  // part of the base architecture of every 64-bit Arm system we can be compiled for
#endif
  return has;
}

std::string read_brand() { return {}; }

#endif

bool ask_for_amx() noexcept {
#if defined(GTEWAY_X86) && defined(__linux__)
  if (!features().amx_tile) return false;
  // Linux's Documentation/arch/x86/xstate.rst; uapi/asm/prctl.h.
  constexpr int kArchGetXcompPerm = 0x1022, kArchReqXcompPerm = 0x1023;
  constexpr unsigned kTileData = 18;
  if (syscall(SYS_arch_prctl, kArchReqXcompPerm, static_cast<unsigned long>(kTileData)) != 0) return false;
  uint64_t permitted = 0;
  return syscall(SYS_arch_prctl, kArchGetXcompPerm, &permitted) == 0 && bit(permitted, kTileData);
#else
  return features().amx_tile;
#endif
}

constexpr NamedFeature kNamedFeatures[] = {
    {"sse4_2", &Features::sse4_2},
    {"avx", &Features::avx},
    {"avx2", &Features::avx2},
    {"fma", &Features::fma},
    {"f16c", &Features::f16c},
    {"avx512f", &Features::avx512f},
    {"avx512bw", &Features::avx512bw},
    {"avx512dq", &Features::avx512dq},
    {"avx512vl", &Features::avx512vl},
    {"avx512_vnni", &Features::avx512_vnni},
    {"avx512_bf16", &Features::avx512_bf16},
    {"avx512_fp16", &Features::avx512_fp16},
    {"avx_vnni", &Features::avx_vnni},
    {"amx_tile", &Features::amx_tile},
    {"amx_bf16", &Features::amx_bf16},
    {"amx_int8", &Features::amx_int8},
    {"neon", &Features::neon},
    {"dotprod", &Features::dotprod},
    {"fp16", &Features::fp16},
    {"bf16", &Features::bf16},
    {"i8mm", &Features::i8mm},
};
static_assert(std::size(kNamedFeatures) * sizeof(bool) == sizeof(Features), "a feature is not listed");

}  // namespace

Features decode_x86(const X86Registers& r) noexcept {
  // State components of XCR0: SSE 1, AVX 2; opmask 5, upper halves of zmm0-15 6, zmm16-31 7; tile
  // configuration 17, tile data 18. An instruction is usable only where the system saves all the registers it
  // touches.
  const auto saves = [&](uint64_t components) { return (r.xcr0 & components) == components; };
  constexpr uint64_t kAvxState = 1u << 1 | 1u << 2;
  constexpr uint64_t kAvx512State = kAvxState | 1u << 5 | 1u << 6 | 1u << 7;
  constexpr uint64_t kAmxState = 1u << 17 | 1u << 18;

  Features has;
  has.sse4_2 = bit(r.leaf1_ecx, 20);
  has.avx = saves(kAvxState) && bit(r.leaf1_ecx, 28);
  if (has.avx) {
    has.fma = bit(r.leaf1_ecx, 12);
    has.f16c = bit(r.leaf1_ecx, 29);
    has.avx2 = bit(r.leaf7_ebx, 5);
    has.avx_vnni = bit(r.leaf7_1_eax, 4);
  }
  has.avx512f = has.avx2 && saves(kAvx512State) && bit(r.leaf7_ebx, 16);
  if (has.avx512f) {
    has.avx512dq = bit(r.leaf7_ebx, 17);
    has.avx512bw = bit(r.leaf7_ebx, 30);
    has.avx512vl = bit(r.leaf7_ebx, 31);
    has.avx512_vnni = bit(r.leaf7_ecx, 11);
    has.avx512_fp16 = bit(r.leaf7_edx, 23);
    has.avx512_bf16 = bit(r.leaf7_1_eax, 5);
  }
  has.amx_tile = saves(kAmxState) && bit(r.leaf7_edx, 24);
  if (has.amx_tile) {
    has.amx_bf16 = bit(r.leaf7_edx, 22);
    has.amx_int8 = bit(r.leaf7_edx, 25);
  }
  return has;
}

const Features& features() noexcept {
  static const Features detected = detect();
  return detected;
}

const std::string& brand() {
  // Never destroyed: threads may ask while the process exits.
  static const std::string& name = *new std::string([] {
    std::string text = read_brand();
    const size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
    return first == std::string::npos ? std::string("unknown") : text.substr(first, last - first + 1);
  }());
  return name;
}

bool request_amx() noexcept {
  static const bool granted = ask_for_amx();
  return granted;
}

std::span<const NamedFeature> named_features() noexcept { return kNamedFeatures; }

}  // namespace gteway::cpu
