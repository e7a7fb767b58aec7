"""The WordPiece vocabulary: the most frequent words, every character, and the pieces that the other words need most.

    python3 training/first/vocabulary.py DIRECTORY      reads pairs.tsv, writes vocab.txt and tokens.npz
"""
import collections
import re
import sys
import unicodedata

import numpy

root = sys.argv[1]
size = 11008
longest = 64
specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
splitter = re.compile(r"[^\W_]+|[^\w\s]|_")


def words_of(text):
    """BertNormalizer and BertPreTokenizer, for Latin script."""
    text = unicodedata.normalize("NFD", text.lower())
    return splitter.findall("".join(c for c in text if unicodedata.category(c) != "Mn"))


def learn(counts):
    characters = collections.Counter()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
    kept = [c for c, count in characters.most_common(160) if count >= 20]
    vocabulary = specials + sorted(set(kept) | set("abcdefghijklmnopqrstuvwxyz0123456789"))
    vocabulary += ["##" + c for c in sorted(kept) if c.isalnum()]
    pieces = 1300
    frequent = [word for word, _ in counts.most_common(size) if len(word) > 1 and all(c in characters for c in word)]
    vocabulary += frequent[: size - len(vocabulary) - pieces]
    known = set(vocabulary)
    # A piece is worth the characters it saves over the words that are not whole.
    worth = collections.Counter()
    for word, count in counts.items():
        if word in known or len(word) > 24 or not word.isalpha():
            continue
        for start in range(2, len(word) - 1):
            for end in range(start + 2, min(len(word), start + 7) + 1):
                worth["##" + word[start:end]] += count * (end - start - 1) * (2 if end == len(word) else 1)
    for piece, _ in worth.most_common():
        if len(vocabulary) == size:
            break
        if piece not in known:
            vocabulary.append(piece)
    return vocabulary


def main():
    rows = [line.rstrip("\n").split("\t") for line in open(f"{root}/pairs.tsv", encoding="utf-8")]
    counts = collections.Counter()
    texts = {}
    for _, one, other in rows:
        for text in (one, other):
            if text not in texts:
                texts[text] = words_of(text)
                counts.update(texts[text])
    vocabulary = learn(counts)
    ids = {token: i for i, token in enumerate(vocabulary)}
    pieces_of = {}

    def pieces(word):
        found = pieces_of.get(word)
        if found is None:
            found, start = [], 0
            while start < len(word) and found is not None:
                for end in range(min(len(word), start + 32), start, -1):
                    token = ids.get(word[start:end] if start == 0 else "##" + word[start:end])
                    if token is not None:
                        found.append(token)
                        start = end
                        break
                else:
                    found = None
            found = pieces_of[word] = found or [1]
        return found

    index, flat, offsets = {}, [], [0]
    for text, words in texts.items():
        tokens = [2] + [t for word in words for t in pieces(word)][: longest - 2] + [3]
        index[text] = len(index)
        flat.extend(tokens)
        offsets.append(len(flat))
    kinds = sorted({row[0] for row in rows})
    numpy.savez(
        f"{root}/tokens.npz",
        tokens=numpy.array(flat, numpy.int32),
        offsets=numpy.array(offsets, numpy.int64),
        pairs=numpy.array([(index[a], index[b]) for _, a, b in rows], numpy.int32),
        kinds=numpy.array([kinds.index(row[0]) for row in rows], numpy.int8),
        names=numpy.array(kinds),
    )
    with open(f"{root}/vocab.txt", "w", encoding="utf-8") as file:
        file.write("\n".join(vocabulary) + "\n")
    print(len(texts), "texts,", len(flat), "tokens,", sum(t == 1 for t in flat), "unknown")


main()
