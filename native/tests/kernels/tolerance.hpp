// How far a result may be from the truth, which tests compute in long double or double. Between
// implementations there is no tolerance: they give the same bits (kernels/contract.hpp says why they can).
#pragma once

namespace gteway::test {

// One rounding of a float64 to float32: half a unit in the last place, relative. The sums before it are
// float64, whose own error (n × 2^-53) is far below; one part in 2^20 is allowed for it.
inline constexpr double kOneRounding = 0x1p-24 * (1 + 0x1p-20);

// The same for a subnormal result, absolute: half of the smallest subnormal.
inline constexpr double kSubnormalRounding = 0x1p-150;

// Sums of n float64 terms against the same sum in long double, relative to the sum of the terms' magnitudes.
inline double sum_error(double terms) { return (terms + 4) * 0x1p-53; }

// A cosine: three such sums, a root and a division.
inline double cosine_error(double terms) { return 4 * sum_error(terms); }

}  // namespace gteway::test
