// Operations on whole matrices of embeddings, made of the row kernels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gteway::kernels {

// out[i * rows_b + j] = the cosine of row i of `a` and row j of `b`; 0 where one of them is the zero vector.
// a: [rows_a, dims], b: [rows_b, dims], out: [rows_a, rows_b], all row-major and without gaps. Throws
// std::bad_alloc.
void similarity_matrix(const float* a, size_t rows_a, const float* b, size_t rows_b, size_t dims, float* out);

// Sign bits as Table::f32_to_bits gives them, each row beginning with a byte of its own.
// x: [rows, dims], out: [rows, ceil(dims / 8)].
void rows_to_bits(const float* x, size_t rows, size_t dims, uint8_t* out);

}  // namespace gteway::kernels
