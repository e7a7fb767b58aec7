#include "engine/encoder/crew.hpp"

#include <atomic>
#include <vector>

#include "test.hpp"

using namespace gteway;

TEST("crew: every piece is done once, by a known worker, before share() returns") {
  for (const size_t helpers : {size_t{0}, size_t{1}, size_t{3}}) {
    Crew crew(helpers);
    CHECK_EQ(crew.workers(), helpers + 1);
    for (size_t shift = 0; shift < 30; ++shift) {
      crew.begin_shift(1 + shift % (helpers + 2));  // also more than there are
      for (size_t pieces = 0; pieces < 40; ++pieces) {
        std::vector<int> done(
            pieces);  // not atomic: each piece has one owner, and share() orders it before us
        std::atomic<bool> known = true;
        crew.share(pieces, [&](size_t piece, size_t worker) {
          ++done[piece];
          if (worker >= crew.workers()) known = false;
        });
        CHECK(known);
        CHECK(done == std::vector<int>(pieces, 1));
      }
      crew.end_shift();
    }
    int alone = 0;  // outside a shift, this thread does it
    crew.share(5, [&](size_t, size_t worker) { alone += worker == 0 ? 1 : 100; });
    CHECK_EQ(alone, 5);
  }
}
