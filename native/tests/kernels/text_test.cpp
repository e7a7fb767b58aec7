#include <algorithm>
#include <random>
#include <string>

#include "kernels/kernel_case.hpp"

using namespace gteway;
using gteway::test::Guarded;

// Random bytes of which every value occurs, at every place of a block.
static std::string random_bytes(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xFF);
  return bytes;
}

KERNEL_TEST("classify_text gives the kinds of the scalar version") {
  for (const unsigned options : {0u, 1u, 2u, 3u}) {
    for (const size_t blocks : {0u, 1u, 2u, 3u, 64u}) {
      const std::string text = random_bytes(blocks * 64, 11 + options);
      Guarded<char> source(text.size()), folded(text.size()), expected_folded(text.size());
      std::copy(text.begin(), text.end(), source.data());
      Guarded<uint64_t> in_word(blocks), punctuation(blocks), other(blocks);
      Guarded<uint64_t> expected_in_word(blocks), expected_punctuation(blocks), expected_other(blocks);
      kernels.classify_text(source.data(), blocks, options, folded.data(), in_word.data(), punctuation.data(),
                            other.data());
      scalar.classify_text(text.data(), blocks, options, expected_folded.data(), expected_in_word.data(),
                           expected_punctuation.data(), expected_other.data());
      CHECK(std::equal(folded.data(), folded.data() + text.size(), expected_folded.data()));
      for (size_t block = 0; block < blocks; ++block) {
        CHECK_EQ(in_word[block], expected_in_word[block]);
        CHECK_EQ(punctuation[block], expected_punctuation[block]);
        CHECK_EQ(other[block], expected_other[block]);
      }
      CHECK(folded.intact() && in_word.intact() && punctuation.intact() && other.intact());
    }
  }
}
