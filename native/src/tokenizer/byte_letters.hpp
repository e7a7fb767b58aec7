// GPT-2's letters for bytes: printable Latin-1 stands for itself, the other bytes, in order, for U+0100
// onwards.
#pragma once

#include <cstddef>

namespace gteway {

constexpr bool is_own_letter(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct ByteLetters {
  char32_t letters[256] = {};
  int bytes[324] = {};

  constexpr ByteLetters() {
    for (int& byte : bytes) byte = -1;
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      letters[byte] = is_own_letter(byte) ? byte : next++;
      bytes[letters[byte]] = static_cast<int>(byte);
    }
  }
};
inline constexpr ByteLetters kByteLetters;

constexpr char32_t letter_of_byte(unsigned char byte) { return kByteLetters.letters[byte]; }

// -1 where the letter is none.
constexpr int byte_of_letter(char32_t letter) { return letter < 324 ? kByteLetters.bytes[letter] : -1; }

}  // namespace gteway
