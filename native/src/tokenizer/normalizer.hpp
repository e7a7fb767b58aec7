// Stage one: BertNormalizer. Cleans, spaces Chinese characters, strips accents, lowers case, code point by
// code point.
//
// The only rule that looks at more than one code point is canonical ordering, which comes with the
// decomposition that strip_accents asks for: marks that are kept are put in order of their combining class.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace gteway {

class Normalizer {
 public:
  struct Switches {
    bool clean_text = false;
    bool handle_chinese_chars = false;
    bool strip_accents = false;
    bool lowercase = false;
  };

  // Marks that wait for the end of their run. Kept between calls so that its memory is reused.
  struct Marks {
    struct Mark {
      char32_t point;
      uint8_t rank;
    };
    std::vector<Mark> waiting;
  };

  explicit Normalizer(Switches switches) noexcept : switches_(switches) {}
  const Switches& switches() const noexcept { return switches_; }

  // Calls emit(char32_t, const unicode::Properties&) for each code point of the normalized text. A text may
  // come in parts, cut between code points, its `marks` staying the same; finish() ends it. A run of more
  // than `ordered_marks` marks may come out in the order it came in: a caller for whom a word of so many code
  // points is unknown whatever it holds need not wait for, nor store, the run's end.
  template <class Emit>
  void feed(std::string_view part, size_t ordered_marks, Marks& marks, Emit&& emit) const {
    for (size_t at = 0; at < part.size();) {
      const utf8::Decoded decoded = utf8::decode(part, at);
      at += decoded.bytes;
      normalize_point(decoded.point, ordered_marks, marks, emit);
    }
  }

  template <class Emit>
  void finish(Marks& marks, Emit&& emit) const {
    if (marks.waiting.empty()) return;
    if (marks.waiting.size() > 1) {
      std::stable_sort(marks.waiting.begin(), marks.waiting.end(),
                       [](const Marks::Mark& a, const Marks::Mark& b) { return a.rank < b.rank; });
    }
    emit_waiting(marks, emit);
  }

 private:
  template <class Emit>
  void normalize_point(char32_t point, size_t ordered_marks, Marks& marks, Emit&& emit) const {
    const unicode::Properties* of_point = &unicode::properties(point);
    if (switches_.clean_text) {
      if (of_point->flags & unicode::kControl) return;
      if (of_point->flags & unicode::kCleanedToSpace) of_point = &unicode::properties(point = U' ');
    }
    const bool chinese = switches_.handle_chinese_chars && (of_point->flags & unicode::kChinese);
    if (chinese) emit_space(marks, emit);
    if (!switches_.strip_accents) {
      emit_lower(point, *of_point, emit);
    } else {
      unicode::decompose(point, *of_point, [&](char32_t part) {
        const unicode::Properties& of_part = part == point ? *of_point : unicode::properties(part);
        const bool removed = of_part.flags & unicode::kNonspacingMark;
        if (of_part.flags & unicode::kReorders) {
          if (removed) return;
          marks.waiting.push_back({part, of_part.rank});
          if (marks.waiting.size() > ordered_marks) emit_waiting(marks, emit);
        } else {
          finish(marks, emit);
          if (!removed) emit_lower(part, of_part, emit);
        }
      });
    }
    if (chinese) emit_space(marks, emit);
  }

  template <class Emit>
  void emit_space(Marks& marks, Emit&& emit) const {
    finish(marks, emit);
    emit(U' ', unicode::properties(U' '));
  }

  template <class Emit>
  void emit_lower(char32_t point, const unicode::Properties& of_point, Emit&& emit) const {
    if (!switches_.lowercase || !(of_point.flags & unicode::kLowers)) {
      emit(point, of_point);
    } else {
      unicode::lowercase(point, of_point, [&](char32_t lower) { emit(lower, unicode::properties(lower)); });
    }
  }

  template <class Emit>
  void emit_waiting(Marks& marks, Emit&& emit) const {
    for (const Marks::Mark& mark : marks.waiting)
      emit_lower(mark.point, unicode::properties(mark.point), emit);
    marks.waiting.clear();
  }

  Switches switches_;
};

}  // namespace gteway
