// What the neon implementation has: everything, over its vectors.
#include "kernels/neon/lanes.hpp"
#include "kernels/generic/table.hpp"

namespace gteway::kernels::neon {

extern constinit const Table table = kTable<F32, F64, Bytes>;

}  // namespace gteway::kernels::neon
