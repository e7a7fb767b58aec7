// What the avx512 implementation has: everything, over its vectors.
#include "kernels/generic/table.hpp"

#include "kernels/avx512/lanes.hpp"

namespace gteway::kernels::avx512 {

extern constinit const Table table = kTable<F32, F64, Bytes>;

}  // namespace gteway::kernels::avx512
