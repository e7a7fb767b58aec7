// The multiplication rates of this processor: what the encoder's products are fractions of.
#pragma once

namespace gteway::bench {

// Operations per second of one thread, a multiplication and an addition counting as two, in a loop that does
// nothing else; 0 where the processor lacks the instruction.
struct PeakRates {
  double f32;   // fused multiply-add, in the widest registers the instruction set in use has
  double bf16;  // vdpbf16ps
  double int8;  // vpdpbusd
};
PeakRates peak_rates();

}  // namespace gteway::bench
