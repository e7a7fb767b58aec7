// One block of threads: runs its fibers, and is where they meet. A thread runs until it waits for others: at
// a barrier of the block, or at an instruction its whole warp (or group of four warps) executes together; the
// last to arrive computes it for all. Threads that end without the others, or meet at different instructions,
// are errors, as they are on a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace gteway::cuda::emulation {

struct Index3 {
  uint32_t x = 0, y = 0, z = 0;
};

// How much a kernel may rely on: tests run each in every schedule, and the results must be the same.
struct Schedule {
  enum class Warps {
    kInTurn,   // all warps side by side, from one meeting to the next
    kForward,  // each runs ahead as far as it can, the first one first
    kReverse,  // the same, the last one first
  };
  Warps warps = Warps::kInTurn;
  // Asynchronous copies happen as late as they may: when waited for. Otherwise as early: when issued.
  bool late_copies = true;
};
Schedule& schedule();

// Runs `threads` fibers of `body`. Shared memory holds 0xff… at first. Throws std::logic_error where the
// threads deadlock or diverge.
void run_block(uint32_t block, uint32_t blocks, uint32_t threads, size_t shared_bytes,
               const std::function<void()>& body);

unsigned char* shared_memory();

// Waits for all `size` (32, 64, 128 …) threads of the aligned group the caller is in, to meet at the same
// `kind`; the last one calls meet(operands of all, in order).
using Meeting = void (*)(void* const* operands, size_t size);
void collective(const char* kind, uint32_t size, void* operand, Meeting meet);

// Asynchronous copies of the running thread.
void copy_async(void* shared, const void* global, bool valid);
void commit_copies();
void wait_for_copies_but(size_t pending);

inline thread_local Index3 current_thread;
inline thread_local Index3 current_block;
inline thread_local Index3 current_block_size;
inline thread_local Index3 current_grid_size;

}  // namespace gteway::cuda::emulation
