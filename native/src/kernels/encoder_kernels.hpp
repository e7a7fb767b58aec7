// The encoder's kernels, and how the best of each is chosen: as kernels.hpp, with the same names of
// instruction sets and the same GTEWAY_FORCE_ISA.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/encoder_contract.hpp"
#include "kernels/kernels.hpp"

namespace gteway::kernels {

// A complete table, and where it came from. Holes of one set are filled from the next best, line by line of
// EncoderTable.
struct EncoderKernels {
  std::string_view isa;  // the set it was chosen for
  EncoderTable table;
  std::vector<Source> sources;  // the set each line comes from, named by its last member ("linear_bf16", …)

  std::string_view source(std::string_view kernel) const;
};

// For the instruction set in use (kernels.hpp's active_isa()). The first call asks the system for AMX where
// that is the choice, and takes the next best set when it is refused. Throws like active().
const EncoderKernels& encoder_kernels();

// For one instruction set, for tests and benches. Throws like active(), also when AMX is refused.
EncoderKernels encoder_kernels_for(std::string_view isa);

}  // namespace gteway::kernels
