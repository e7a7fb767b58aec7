#include "tokenizer/text_to_ids.hpp"

#include <algorithm>
#include <cstring>

namespace gteway {

namespace {

// Masks that keep the first n bytes of a WordKey; what is longer than that keeps none, and so is never found.
struct KeyMasks {
  WordKey keep[WordKey::kMaxBytes + 2];
  constexpr KeyMasks() : keep() {
    for (size_t bytes = 1; bytes <= WordKey::kMaxBytes; ++bytes) {
      const size_t high_bytes = bytes > 8 ? bytes - 8 : 0, low_bytes = bytes - high_bytes;
      keep[bytes].low = ~uint64_t{0} >> (64 - 8 * low_bytes);
      keep[bytes].high = high_bytes == 0 ? 0 : ~uint64_t{0} >> (64 - 8 * high_bytes);
    }
  }
};
constexpr KeyMasks kKeyMasks;

inline WordKey prefix(const WordKey& key, size_t bytes) {
  const WordKey& keep = kKeyMasks.keep[bytes];
  return {key.low & keep.low, key.high & keep.high};
}

// How many bytes at the end of `text` begin a character that is not all there.
size_t unfinished_bytes(std::string_view text) {
  for (size_t bytes = 1; bytes <= 3 && bytes <= text.size(); ++bytes) {
    const auto lead = static_cast<unsigned char>(text[text.size() - bytes]);
    if ((lead & 0xC0) == 0x80) continue;
    const size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return needed > bytes ? bytes : 0;
  }
  return 0;
}

}  // namespace

// One call of encode(): the ids that wait for the output, and the memory that words need.
class TextToIds::Run {
 public:
  Run(const TextToIds& encoder, IdOutput& output)
      : encoder_(encoder), output_(output), builder_(encoder.wordpiece_.max_chars()) {}

  // All of these return false when the output wants no more.

  bool id(int32_t id) {
    if (count_ == kIds && !flush()) return false;
    ids_[count_++] = id;
    return true;
  }

  bool flush() {
    const size_t count = count_;
    count_ = 0;
    ++flushes_;
    return output_.take(ids_, count);
  }

  // Words of text[at, end) that end before `end` or, if `closed`, at it. Returns in `at` how far it came:
  // where the word begins that was left, or `end`.
  bool block(std::string_view text, size_t& at, size_t end, bool closed) {
    scanned_.scan(text.substr(at, end - at), encoder_.scanner_);
    size_t words = scanned_.words, reached = end;
    if (!closed && words > 0 && at + scanned_.ends[words - 1] == end &&
        encoder_.kinds_.in_word(text[end - 1])) {
      --words;
      reached = at + scanned_.starts[words];
    }
    const uint32_t owner = encoder_.memo_owner_;
    for (size_t i = 0; i < words; ++i) {
      const size_t start = scanned_.starts[i], length = scanned_.ends[i] - start;
      const WordKey key =
          prefix(WordKey::load(scanned_.folded + start), std::min(length, WordKey::kMaxBytes + 1));
      const int32_t whole = encoder_.words_.find(key);
      ids_[count_] = whole;
      if (whole >= 0) [[likely]] {
        ++count_;
        continue;
      }
      WordMemo::Slot& slot = memo_.slot(key);
      if (WordMemo::holds(slot, key, owner)) {
        std::memcpy(ids_ + count_, slot.ids, sizeof slot.ids);
        count_ += slot.count();
      } else if (!scanned_word(text.substr(at + start, length), start, key, slot)) {
        return false;
      }
    }
    at = reached;
    return flush();
  }

 private:
  // A word of the block that the memo does not know.
  bool scanned_word(std::string_view raw, size_t start, const WordKey& key, WordMemo::Slot& slot) {
    const size_t length = raw.size(), count_before = count_, flushes_before = flushes_;
    const std::string_view folded(scanned_.folded + start, length);
    const bool other = scanned_.has_other(start, start + length);
    bool wanted = true;
    if (other) {
      wanted = normalized_run(raw);
    } else if (length <= WordKey::kMaxBytes && encoder_.words_.complete()) {
      count_ += ascii_pieces(folded, key, ids_ + count_);
    } else {
      wanted = word(folded, length > encoder_.wordpiece_.max_chars());
    }
    const size_t pieces = count_ - count_before;
    // 0xFF stands for a zero byte as well as for itself.
    if (length <= WordKey::kMaxBytes && flushes_ == flushes_before && pieces <= WordMemo::kIds &&
        encoder_.memo_owner_ != WordMemo::kNobody && !(other && folded.find('\xFF') != folded.npos)) {
      slot.key = key;
      std::copy_n(ids_ + count_before, pieces, slot.ids);
      slot.owner_and_count = encoder_.memo_owner_ << 8 | static_cast<uint32_t>(pieces);
    }
    return wanted;
  }

  // The ids of a short ASCII word that is not found whole. Its first piece is a whole word as well, so the
  // table has it; asking for every length at once takes less time than one step after the other through the
  // large trie.
  size_t ascii_pieces(std::string_view word, const WordKey& key, int32_t* ids) const {
    const int32_t unk = encoder_.wordpiece_.unk_id();
    ids[0] = unk;
    if (word.size() > encoder_.wordpiece_.max_chars()) return 1;
    for (size_t length = word.size() - 1; length > 0; --length) {
      const int32_t first = encoder_.words_.find(prefix(key, length));
      if (first < 0) continue;
      const size_t rest = encoder_.wordpiece_.match_rest(word.substr(length), ids + 1);
      if (rest == 0) return 1;
      ids[0] = first;
      return 1 + rest;
    }
    return 1;
  }

  auto word_taker() {
    return [this](std::string_view bytes, bool too_long) { wanted_ = wanted_ && word(bytes, too_long); };
  }
  auto point_taker() {
    return [this](char32_t point, const unicode::Properties& of_point) {
      builder_.add(point, of_point, word_taker());
    };
  }

 public:
  // A run of letters and other bytes, through the whole normalizer.
  bool normalized_run(std::string_view run) {
    normalized_part(run);
    return finish_run();
  }

  // A part of such a run, cut between code points.
  bool normalized_part(std::string_view part) {
    encoder_.normalizer_.feed(part, encoder_.wordpiece_.max_chars(), marks_, point_taker());
    return wanted_;
  }

  bool finish_run() {
    encoder_.normalizer_.finish(marks_, point_taker());
    builder_.finish(word_taker());
    return wanted_;
  }

 private:
  // No text has more tokens than bytes, so a block always fits. The memo writes a few ids too many.
  static constexpr size_t kIds = ScannedBlock::kBytes;

  bool word(std::string_view word, bool too_long) {
    if (too_long) return id(encoder_.wordpiece_.unk_id());
    if (word.size() > kIds) {
      // Only with a max_input_chars_per_word far beyond BERT's 100.
      std::vector<int32_t> ids(word.size());
      const size_t count = encoder_.wordpiece_.match(word, ids.data());
      return flush() && output_.take(ids.data(), count);
    }
    if (count_ + word.size() > kIds && !flush()) return false;
    count_ += encoder_.wordpiece_.match(word, ids_ + count_);
    return true;
  }

  const TextToIds& encoder_;
  IdOutput& output_;
  WordBuilder builder_;
  Normalizer::Marks marks_;
  bool wanted_ = true;  // what word_taker() came to
  size_t count_ = 0, flushes_ = 0;
  WordMemo& memo_ = WordMemo::of_this_thread();
  int32_t ids_[kIds + WordMemo::kIds];
  ScannedBlock scanned_;
};

void TextToIds::encode(std::string_view text, const AddedTokens& added, IdOutput& output) const {
  // Reading on after the last id that has room would be in vain: a token is rarely shorter than four bytes,
  // spaces counted, so a small limit makes small steps.
  constexpr size_t kFirstStep = 256;
  AddedTokens::Scanner scanner(added, text);
  Run run(*this, output);
  for (size_t at = 0; at < text.size() || scanner.look(text.size());) {
    const size_t step = std::clamp(output.room_left(), kFirstStep / 4, ScannedBlock::kBytes / 4) * 4;
    const auto& match = scanner.look(at + step);
    const size_t limit = match ? match->start : scanner.clear_until();
    if (at < limit) {
      const size_t before = at, end = std::min(at + step, limit);
      if (!run.block(text, at, end, end == limit && (match || limit == text.size()))) return;
      if (at == before && !long_run(text, at, step, scanner, run)) return;
    } else if (match) {
      if (match->id != AddedTokens::kNothing && (!run.id(match->id) || !run.flush())) return;
      at = match->end;
      scanner.accept();
    }
  }
}

// A run that fills a whole step is taken in parts, so that neither its length nor a limit inside it costs
// more than what is read.
bool TextToIds::long_run(std::string_view text, size_t& at, size_t step, AddedTokens::Scanner& scanner,
                         Run& run) const {
  for (;;) {
    const auto& match = scanner.look(at + step);
    const size_t clear = std::max(match ? match->start : scanner.clear_until(), at);
    const size_t bound = std::min(at + step, clear);
    size_t end = at;
    while (end < bound && kinds_.in_word(text[end])) ++end;
    const bool last = end < bound || (bound == clear && (match || clear == text.size()));
    if (!last) end -= unfinished_bytes(text.substr(at, end - at));
    const bool wanted = run.normalized_part(text.substr(at, end - at));
    at = end;
    if (!wanted) return false;
    if (last) return run.finish_run() && run.flush();
  }
}

}  // namespace gteway
