// How many threads a batch is worth.
#pragma once

#include <cstddef>

namespace gteway {

class PackedEncoder;

// Where columns alone would not be parts enough for all threads, products of so many rows are cut between
// rows, too.
constexpr size_t kLeastRowsCut = 64;

struct Sharing {
  // Threads that can compute at once; 0: the cores this process may use, and no more than its quota.
  size_t processors = 0;
  // Multiplications of float32 that a thread should have between two joins, at least. Some two microseconds:
  // about four times what it costs a thread to be told of its share and to be waited for.
  size_t least_share = 256 * 1024;
};

// Of `offered` threads. Follows from the batch's work alone, and from the processors that there are: what a
// thread would do between two joins must be worth more than the joins, and more threads than processors hold
// each other up. At least 1.
size_t threads_worth(const PackedEncoder& encoder, size_t tokens, size_t offered,
                     const Sharing& sharing) noexcept;

}  // namespace gteway
