// What a batch looks like on the device: one block of memory that goes up in one copy.
//
//   BatchHeader | offsets [sequences + 1] | ids [tokens] | positions [tokens] | items [items]
//
// Kernels take the number of rows from the header, not from their launch: a graph captured for a whole class
// of lengths then runs any text of that class.
#pragma once

#include "engine/cuda/device/platform.cuh"

namespace gteway::cuda {

// Queries of one sequence that one block of the attention kernel computes for one or more heads: see
// attention.cuh.
struct AttentionItem {
  uint32_t first_token;  // of the sequence, in the batch
  uint32_t length;       // of the sequence
  uint32_t first_query;  // of the item, in the sequence
};

// Items by the rows of a head that a block has room for, so that short texts fill a block with several heads.
enum class RowClass : uint32_t { k64, k32, k16 };
constexpr uint32_t kRowClasses = 3;
__host__ __device__ constexpr uint32_t rows_of_class(uint32_t row_class) { return 64U >> row_class; }
__host__ __device__ constexpr uint32_t class_of_length(uint32_t length) {
  return length > 32 ? 0U : length > 16 ? 1U : 2U;
}

struct BatchHeader {
  uint32_t tokens;
  uint32_t sequences;
  uint32_t items[kRowClasses];  // how many of each class; they lie one class after the other
  uint32_t reserved[3];
};
static_assert(sizeof(BatchHeader) == 32);

}  // namespace gteway::cuda
