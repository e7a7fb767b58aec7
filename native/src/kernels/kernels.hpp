// The kernels, and how the best implementation of each is chosen. contract.hpp says what they compute.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "kernels/contract.hpp"
#include "kernels/encoder_contract.hpp"

namespace gteway::kernels {

// One implementation per instruction set. A null table, or a null member of one, falls to the next best set
// that has it.
struct Implementation {
  // "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx", "neon", "neondot", "neonbf16":
  // also the folder, and the value of GTEWAY_FORCE_ISA
  std::string_view isa;
  bool supported;  // this machine can run it; of "amx", only that the processor has it
  const Table* table;
  const EncoderTable* encoder;  // chosen from in encoder_kernels.hpp
};

// Those compiled for this architecture, best first; "scalar" is last, complete, and always supported.
std::span<const Implementation> implementations();

// The kernels in use, complete. Chosen once, on first use: the best supported, or the one GTEWAY_FORCE_ISA
// names. Throws Error{kInvalidArgument} when GTEWAY_FORCE_ISA names a set that is unknown or that this
// machine lacks, with the list of those it has.
const Table& active();

// The instruction set active() was chosen for. Throws like active().
std::string_view active_isa();

// The complete table for one instruction set (holes filled from the next best), for tests and benches.
// Throws like active().
Table table_for(std::string_view isa);

// Which set each kernel of table_for(isa) comes from, in the order of Table. Throws like active().
struct Source {
  std::string_view kernel;
  std::string_view isa;
};
std::vector<Source> sources_for(std::string_view isa);

}  // namespace gteway::kernels
