// What the neon implementation has: everything, over its vectors.
#include "kernels/generic/table.hpp"

#include "kernels/neon/lanes.hpp"

namespace gteway::kernels::neon {

extern constinit const Table table = kTable<F32, F64, Bytes>;

}  // namespace gteway::kernels::neon
