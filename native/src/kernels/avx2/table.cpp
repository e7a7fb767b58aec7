// What the avx2 implementation has: everything, over its vectors.
#include "kernels/generic/table.hpp"

#include "kernels/avx2/lanes.hpp"

namespace gteway::kernels::avx2 {

extern constinit const Table table = kTable<F32, F64, Bytes>;

}  // namespace gteway::kernels::avx2
