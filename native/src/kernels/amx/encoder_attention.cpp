// One head of one sequence, 32 queries at a time: their scores with all keys, the softmax over whole rows of
// scores, and the sum of values. The softmax of the next 32 queries is computed while the values of these are
// summed.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/amx/tiles.hpp"
#include "kernels/avx512/lanes.hpp"
#include "kernels/avx512/transpose.hpp"
#include "kernels/encoder_contract.hpp"
#include "kernels/encoder_layout.hpp"
#include "kernels/generic/encoder_math.hpp"

namespace gteway::kernels::amx {
namespace {

constexpr size_t kDimensions = 32;  // bfloat16 in 64 bytes

struct Scratch {
  Scratch(size_t tokens, size_t head_size)
      : keys(round_up(tokens, kPanelColumns)),
        // A multiple of 64 bytes, but of no higher power of two: 32 rows at once would else share few cache
        // sets.
        stride(keys * sizeof(float) + 64),
        values(keys * head_size * sizeof(uint16_t)),
        scores(2 * values),
        bytes(scores + 2 * kBlockRows * stride) {}
  size_t keys;            // padded
  size_t stride;          // between rows of scores, in bytes
  size_t values, scores;  // where they begin, behind the packed keys
  size_t bytes;
};

// Panels of 32 keys: a step for every 32 dimensions, each two tiles of 16 keys; row i of a tile has
// dimensions 2 i and 2 i + 1. Keys there are none of are zeros.
void pack_keys(const AttentionHead& head, size_t keys, uint8_t* packed) {
  const size_t steps = head.head_size / kDimensions;
  for (size_t first = 0; first < keys; first += 16) {
    uint8_t* tile =
        packed + first / kPanelColumns * steps * kStepBytes + first % kPanelColumns / 16 * kTileBytes;
    for (size_t step = 0; step < steps; ++step, tile += kStepBytes) {
      __m512i rows[16];
      for (size_t j = 0; j < 16; ++j)
        rows[j] = first + j < head.tokens
                      ? _mm512_loadu_si512(row_of<uint8_t>(head.k, head.stride, first + j) + step * 64)
                      : _mm512_setzero_si512();
      avx512::transpose(rows);
      for (size_t i = 0; i < 16; ++i) _mm512_store_si512(tile + 64 * i, rows[i]);
    }
  }
}

// Panels of 32 dimensions: a step for every 32 keys, each two tiles of 16 dimensions; row i of a tile has
// keys 2 i and 2 i + 1.
void pack_values(const AttentionHead& head, size_t keys, uint8_t* packed) {
  for (size_t panel = 0; panel < head.head_size / kDimensions; ++panel) {
    for (size_t key = 0; key < keys; key += 2, packed += 64) {
      const auto values = [&](size_t j) {
        return j < head.tokens ? _mm512_loadu_si512(row_of<uint8_t>(head.v, head.stride, j) + panel * 64)
                               : _mm512_setzero_si512();
      };
      __m512i low, high;
      avx512::interleave(values(key), values(key + 1), low, high);
      _mm512_store_si512(packed, low);
      _mm512_store_si512(packed + kTileBytes, high);
      if (key % kPanelColumns == kPanelColumns - 2) packed += kTileBytes;
    }
  }
}

void add_bias(float* scores, size_t keys, const float* bias) {
  for (size_t j = 0; j < keys; j += 16)
    _mm512_store_ps(scores + j, _mm512_add_ps(_mm512_load_ps(scores + j), _mm512_loadu_ps(bias + j)));
}

// Those of the 32 keys from j that are in [begin, end).
uint32_t seen_of_32(size_t j, size_t begin, size_t end) {
  uint32_t seen = ~uint32_t{0};
  if (end < j + 32) seen = end > j ? (uint32_t{1} << (end - j)) - 1 : 0;
  if (begin > j) seen = begin < j + 32 ? seen & ~uint32_t{0} << (begin - j) : 0;
  return seen;
}

// A row of scores becomes 2^(score - largest), as bfloat16 from the row's beginning; zero outside the keys
// [begin, end) that its query sees. Returns their sum before they were rounded.
float soften(uint8_t* row, size_t begin, size_t end, size_t keys) {
  auto* const scores = reinterpret_cast<float*>(row);
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 most_low = lowest, most_high = lowest;
  for (size_t j = 0; j < keys; j += 32) {
    const uint32_t seen = seen_of_32(j, begin, end);
    const auto low = static_cast<__mmask16>(seen), high = static_cast<__mmask16>(seen >> 16);
    most_low = _mm512_mask_max_ps(most_low, low, most_low, _mm512_load_ps(scores + j));
    most_high = _mm512_mask_max_ps(most_high, high, most_high, _mm512_load_ps(scores + j + 16));
  }
  const __m512 largest = _mm512_set1_ps(_mm512_reduce_max_ps(_mm512_max_ps(most_low, most_high)));

  __m512 sum_low = _mm512_setzero_ps(), sum_high = _mm512_setzero_ps();
  const auto weights = [&](size_t j, __mmask16 keys_of) {
    const avx512::F32 below{_mm512_sub_ps(_mm512_load_ps(scores + j), largest)};
    return _mm512_maskz_mov_ps(keys_of, exp2_of_negative(below).v);
  };
  const auto step = [&](size_t j, __mmask16 low_keys, __mmask16 high_keys) {
    const __m512 low = weights(j, low_keys), high = weights(j + 16, high_keys);
    sum_low = _mm512_add_ps(sum_low, low);
    sum_high = _mm512_add_ps(sum_high, high);
    _mm512_store_si512(row + j * sizeof(uint16_t), reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  };
  for (size_t j = 0; j < keys; j += 32) {
    const uint32_t seen = seen_of_32(j, begin, end);
    step(j, static_cast<__mmask16>(seen), static_cast<__mmask16>(seen >> 16));
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(sum_low, sum_high));
}

// Queries [done, end), as rows from `begin` ≤ done of a block: as in linear.hpp, the last block ends with the
// last query where there are 32, and only new rows matter.
struct Queries {
  Queries(size_t done_, size_t tokens) : lower(tokens - done_ > kTileRows), done(done_) {
    const size_t height = lower ? kBlockRows : kTileRows;
    end = done + height < tokens ? done + height : tokens;
    begin = tokens >= kBlockRows ? end - height : done;
  }
  bool lower;
  size_t begin, done, end;
};

// Behind the last key that a query sees.
size_t seen_until(const AttentionHead& head, size_t query) {
  return head.tokens - 1 - query > head.reach ? query + head.reach + 1 : head.tokens;
}

// Scores of a block with all keys: rows of them, `stride` bytes apart.
template <bool kLower>
void multiply_keys(const uint8_t* q, size_t q_stride, const uint8_t* packed, size_t keys, size_t head_size,
                   uint8_t* scores, size_t stride) {
  if (head_size != kDimensions) {
    const size_t steps = head_size / kDimensions;
    for (size_t key = 0; key < keys; key += kPanelColumns, packed += steps * kStepBytes) {
      multiply_block<ProductBf16, kLower>(q, q_stride, packed, steps, [] {});
      store_block<kLower>(scores + key * sizeof(float), stride);
    }
    return;
  }
  // One step: the queries stay in their tiles.
  _tile_loadd(4, q, q_stride);
  if constexpr (kLower) _tile_loadd(5, q + kTileRows * q_stride, q_stride);
  for (size_t key = 0; key < keys; key += kPanelColumns, packed += kStepBytes) {
    _tile_loadd(6, packed, 64);
    _tile_loadd(7, packed + kTileBytes, 64);
    _tile_zero(0);
    ProductBf16::c00();
    _tile_zero(1);
    ProductBf16::c01();
    if constexpr (kLower) {
      _tile_zero(2);
      ProductBf16::c10();
      _tile_zero(3);
      ProductBf16::c11();
    }
    store_block<kLower>(scores + key * sizeof(float), stride);
  }
}

// A block on its way from scores to outputs.
class Block {
 public:
  Block(const AttentionHead& head, const Scratch& at, const uint8_t* packed_keys, uint8_t* scores,
        size_t done)
      : rows_(done, head.tokens),
        first_(rows_.done > head.reach ? (rows_.done - head.reach) / kPanelColumns * kPanelColumns : 0),
        keys_(round_up(seen_until(head, rows_.end - 1) - first_, kPanelColumns)),
        scores_(scores),
        soft_(rows_.done) {
    const auto* const q = row_of<uint8_t>(head.q, head.stride, rows_.begin);
    packed_keys += first_ / kPanelColumns * (head.head_size / kDimensions) * kStepBytes;
    if (rows_.lower)
      multiply_keys<true>(q, head.stride, packed_keys, keys_, head.head_size, scores, at.stride);
    else
      multiply_keys<false>(q, head.stride, packed_keys, keys_, head.head_size, scores, at.stride);
  }

  // Of the products of its weights and values.
  size_t steps(size_t head_size) const { return keys_ / kPanelColumns * (head_size / kDimensions); }

  size_t end() const { return rows_.end; }

  // The softmax of the next `count` rows.
  void soften_rows(const AttentionHead& head, const Scratch& at, size_t count) {
    for (; count > 0 && soft_ < rows_.end; --count, ++soft_) {
      uint8_t* const row = scores_ + (soft_ - rows_.begin) * at.stride;
      if (head.bias != nullptr)
        add_bias(reinterpret_cast<float*>(row), keys_,
                 head.bias + static_cast<ptrdiff_t>(first_) - static_cast<ptrdiff_t>(soft_));
      const size_t begin = soft_ > head.reach + first_ ? soft_ - head.reach - first_ : 0;
      totals_[soft_ - rows_.begin] = soften(row, begin, seen_until(head, soft_) - first_, keys_);
    }
  }

  template <class Beside>
  void sum_values(const AttentionHead& head, const Scratch& at, const uint8_t* packed_values,
                  Beside beside) const {
    alignas(64) float sums[kBlockRows * kPanelColumns];
    constexpr size_t kSumsStride = kPanelColumns * sizeof(float);
    const size_t steps = keys_ / kPanelColumns, all_steps = at.keys / kPanelColumns;
    packed_values += first_ / kPanelColumns * kStepBytes;
    for (size_t d = 0; d < head.head_size; d += kDimensions, packed_values += all_steps * kStepBytes) {
      stores_before_tile_loads();
      if (rows_.lower) {
        multiply_block<ProductBf16, true>(scores_, at.stride, packed_values, steps, beside);
        store_block<true>(sums, kSumsStride);
      } else {
        multiply_block<ProductBf16, false>(scores_, at.stride, packed_values, steps, beside);
        store_block<false>(sums, kSumsStride);
      }
      for (size_t row = rows_.done; row < rows_.end; ++row) {
        const float* const sum = sums + (row - rows_.begin) * kPanelColumns;
        const __m512 scale = _mm512_set1_ps(1 / totals_[row - rows_.begin]);
        const __m512 low = _mm512_mul_ps(_mm512_load_ps(sum), scale);
        const __m512 high = _mm512_mul_ps(_mm512_load_ps(sum + 16), scale);
        _mm512_storeu_si512(row_of<uint16_t>(head.out, head.out_stride, row) + d,
                            reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
      }
    }
  }

 private:
  Queries rows_;
  size_t first_, keys_;  // the keys that some of them see, whole panels of them
  uint8_t* scores_;
  size_t soft_;  // rows from rows_.done to here are softened
  float totals_[kBlockRows];
};

}  // namespace

size_t attention_scratch_bf16(size_t tokens, size_t head_size) noexcept {
  return Scratch(tokens, head_size).bytes;
}

void attention_bf16(const AttentionHead& head, void* scratch) noexcept {
  const Scratch at(head.tokens, head.head_size);
  auto* const packed_keys = static_cast<uint8_t*>(scratch);
  uint8_t* const packed_values = packed_keys + at.values;
  uint8_t* scores = packed_keys + at.scores;
  uint8_t* other = scores + kBlockRows * at.stride;
  pack_keys(head, at.keys, packed_keys);
  pack_values(head, at.keys, packed_values);
  stores_before_tile_loads();

  const Tiles tiles(head.tokens < kBlockRows ? head.tokens : kBlockRows);
  Block block(head, at, packed_keys, scores, 0);
  block.soften_rows(head, at, kBlockRows);
  while (block.end() < head.tokens) {
    Block next(head, at, packed_keys, other, block.end());
    const size_t steps = block.steps(head.head_size), rows_beside = (kBlockRows + steps - 1) / steps;
    block.sum_values(head, at, packed_values, [&] { next.soften_rows(head, at, rows_beside); });
    block = next;
    uint8_t* const free = scores;
    scores = other;
    other = free;
  }
  block.sum_values(head, at, packed_values, [] {});
}

}  // namespace gteway::kernels::amx
