#include "cpu/features.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "kernels/kernels.hpp"
#include "test.hpp"

using namespace gteway::cpu;

namespace {

// A processor with everything, under a system that saves every register.
X86Registers everything() {
  X86Registers all;
  all.leaf1_ecx = all.leaf7_ebx = all.leaf7_ecx = all.leaf7_edx = all.leaf7_1_eax = 0xffffffff;
  all.xcr0 = 0x600e7;
  return all;
}

bool is_avx512(std::string_view name) { return name.starts_with("avx512"); }
bool is_amx(std::string_view name) { return name.starts_with("amx"); }
bool is_arm(std::string_view name) {
  return name == "neon" || name == "dotprod" || name == "fp16" || name == "bf16" || name == "i8mm";
}

// The features named `expected` are on, all others of x86 off.
template <class Expected>
void check_features(const Features& has, Expected expected) {
  for (const auto& [name, member] : named_features())
    if (has.*member != (!is_arm(name) && expected(name)))
      gteway::test::fail(__FILE__, __LINE__, std::string(name) + " is " + gteway::test::show(has.*member));
}

}  // namespace

TEST("cpu: a processor with everything has every feature of x86") {
  check_features(decode_x86(everything()), [](std::string_view) { return true; });
}

TEST("cpu: a processor with nothing has no feature") {
  check_features(decode_x86(X86Registers{}), [](std::string_view) { return false; });
}

TEST("cpu: what the system does not save is off, whatever CPUID says") {
  X86Registers registers = everything();
  registers.xcr0 = 0;
  check_features(decode_x86(registers), [](std::string_view name) { return name == "sse4_2"; });
  registers.xcr0 = 0x7;  // x87, SSE, AVX
  check_features(decode_x86(registers),
                 [](std::string_view name) { return !is_avx512(name) && !is_amx(name); });
  registers.xcr0 = 0x67;  // zmm16-31 missing
  check_features(decode_x86(registers),
                 [](std::string_view name) { return !is_avx512(name) && !is_amx(name); });
  registers.xcr0 = 0xe7;
  check_features(decode_x86(registers), [](std::string_view name) { return !is_amx(name); });
  registers.xcr0 = 0x200e7;  // tile configuration without tile data
  check_features(decode_x86(registers), [](std::string_view name) { return !is_amx(name); });
}

TEST("cpu: extensions of AVX-512 are off where its foundation is") {
  X86Registers registers = everything();
  registers.leaf7_ebx &= ~(1u << 16);
  check_features(decode_x86(registers), [](std::string_view name) { return !is_avx512(name); });
}

TEST("cpu: features agree with the kernel's own list in /proc/cpuinfo") {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("flags")) continue;
  if (line.empty()) SKIP("no x86 /proc/cpuinfo here");
  std::istringstream words(line.substr(line.find(':') + 1));
  std::vector<std::string> flags;
  for (std::string word; words >> word;) flags.push_back(word);
#if defined(__x86_64__)
  check_features(features(), [&](std::string_view name) {
    return std::find(flags.begin(), flags.end(), name) != flags.end();
  });
#else
  SKIP("not an x86 build (an emulator shows the host's /proc/cpuinfo)");
#endif
}

TEST("cpu: a supported instruction set implies the features its folder is compiled for") {
  const Features& has = features();
  for (const gteway::kernels::Implementation& implementation : gteway::kernels::implementations()) {
    if (!implementation.supported) continue;
    if (implementation.isa == "avx2") CHECK(has.avx2 && has.fma && has.f16c);
    if (implementation.isa == "avx512")
      CHECK(has.avx512f && has.avx512bw && has.avx512dq && has.avx512vl && has.avx2 && has.fma && has.f16c);
    if (implementation.isa == "neon") CHECK(has.neon);
  }
}

TEST("cpu: the processor has a name, without blanks around it") {
  CHECK(!brand().empty());
  CHECK(brand().front() != ' ' && brand().back() != ' ');
  CHECK(brand().find('\0') == std::string::npos);
}

TEST("cpu: AMX is refused where the hardware lacks it, and the answer stays the same") {
  const bool granted = request_amx();
  CHECK_EQ(request_amx(), granted);
  if (!features().amx_tile) CHECK(!granted);
}
