// The kinds of bytes, 64 of them to a word of each mask.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/contract.hpp"

namespace gteway::kernels {
namespace {

template <class Bytes>
void classify_text(const char* text, size_t blocks, unsigned options, char* folded, uint64_t* in_word,
                   uint64_t* punctuation, uint64_t* other) noexcept {
  using Mask = typename Bytes::Mask;
  constexpr size_t kParts = 64 / Bytes::kLanes;
  const Mask fold = Mask::all_if(options & kFoldCase);
  const Mask keep_controls = Mask::all_if(options & kKeepControls);
  for (size_t block = 0; block < blocks; ++block) {
    Mask marks[kParts], separators[kParts], known[kParts];
    for (size_t part = 0; part < kParts; ++part) {
      const size_t at = block * 64 + part * Bytes::kLanes;
      const Bytes bytes = Bytes::load(text + at);
      const Mask alphabetic = (bytes | Bytes::of(0x20)).between('a', 'z');
      const Mask letters = alphabetic | bytes.between('0', '9');
      const Mask graphic = bytes.between(0x21, 0x7E);
      const Mask spaces = bytes.is(' ') | bytes.is('\t') | bytes.is('\n') | bytes.is('\r') |
                          (keep_controls & bytes.between(0x0B, 0x0C));
      marks[part] = and_not(graphic, letters);
      separators[part] = marks[part] | spaces;
      known[part] = graphic | spaces | (keep_controls & bytes.is_ascii_but_zero());
      const Mask zero = bytes.is(0);
      bytes.with(alphabetic & fold, 0x20).with(zero, 0xFF).store(folded + at);
    }
    in_word[block] = ~bits_of(separators);
    punctuation[block] = bits_of(marks);
    other[block] = ~bits_of(known);
  }
}

}  // namespace
}  // namespace gteway::kernels
