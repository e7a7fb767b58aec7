"""The WordPiece vocabulary and the pairs as token ids.

usage: vocabulary.py DIRECTORY SIZE

Whole words first, by frequency in second.tsv; the rest of the room goes to continuing pieces, chosen by how many
characters of the words left over they cover. Writes second-vocab.txt, second.npz.
"""
import collections
import os
import re
import sys
import unicodedata

import numpy as np

CACHE, SIZE = sys.argv[1], int(sys.argv[2])
MAX_TOKENS = 48
PIECES = 1800
SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
# How much a word of a source counts: everyday English before technical descriptions.
WEIGHT = collections.defaultdict(lambda: 1.0, {'debian': 0.1, 'mythes': 0.3, 'wn-synonym': 0.3, 'gcide-quote': 0.7, 'wn-example': 3.0})
WEIGHT.update({'cataclysm': 2.0, 'cldr': 3.0, 'edict': 2.0, 'freedict': 2.0, 'ding': 2.0})

token_pattern = re.compile(r'[^\W_]+|[^\w\s]|_')


def words_of(text):
    """What BertNormalizer and BertPreTokenizer make of a text: lower case, no accents, punctuation apart."""
    text = unicodedata.normalize('NFD', text.lower())
    text = ''.join(c for c in text if unicodedata.category(c) != 'Mn')
    return token_pattern.findall(text)


def main():
    counts = collections.Counter()
    rows = []
    for line in open(os.path.join(CACHE, 'second.tsv'), encoding='utf-8'):
        kind, a, b = line.rstrip('\n').split('\t')
        a, b = words_of(a), words_of(b)
        rows.append((kind, a, b))
        weight = WEIGHT[kind]
        for word in a + b:
            counts[word] += weight
    alphabet = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    vocabulary = dict.fromkeys(SPECIAL + alphabet + ['##' + c for c in alphabet if c.isalnum()])
    words = [w for w, _ in counts.most_common() if w.isascii() and len(w) > 1 and not (w.isdigit() and len(w) > 2)]
    for word in words:
        if len(vocabulary) >= SIZE - PIECES:
            break
        vocabulary[word] = None
    whole = set(vocabulary)
    pieces = collections.Counter()
    for word in words:
        if word in whole or not word.isalpha():
            continue
        cut = next(i for i in range(len(word), 0, -1) if word[:i] in whole)
        rest = word[cut:]
        for i in range(len(rest)):
            for j in range(i + 2, min(len(rest), i + 9) + 1):
                # A piece at the word's end or over the whole rest is what greedy matching will use.
                if i == 0 or j == len(rest):
                    pieces['##' + rest[i:j]] += counts[word] ** 0.75 * (j - i - 1)
    for piece, _ in pieces.most_common():
        if len(vocabulary) >= SIZE:
            break
        vocabulary[piece] = None
    ids = {token: i for i, token in enumerate(vocabulary)}
    memo = {}

    def pieces_of(word):
        if word not in memo:
            result, start = [], 0
            while start < len(word):
                for end in range(len(word), start, -1):
                    piece = ('##' if start else '') + word[start:end]
                    if piece in ids:
                        result.append(ids[piece])
                        start = end
                        break
                else:
                    result = [ids['[UNK]']]
                    break
            memo[word] = result
        return memo[word]

    def encode(words):
        inner = [i for word in words for i in pieces_of(word)][:MAX_TOKENS - 2]
        return [ids['[CLS]'], *inner, ids['[SEP]']]

    kinds = sorted({kind for kind, _, _ in rows})
    number = {kind: i for i, kind in enumerate(kinds)}
    flat, offsets, kind_of = [], [0], []
    for kind, a, b in rows:
        for side in (a, b):
            flat.extend(encode(side))
            offsets.append(len(flat))
        kind_of.append(number[kind])
    np.savez(os.path.join(CACHE, 'second.npz'), flat=np.array(flat, np.uint16), offsets=np.array(offsets, np.int64),
             kind=np.array(kind_of, np.uint8), kinds=np.array(kinds))
    with open(os.path.join(CACHE, 'second-vocab.txt'), 'w', encoding='utf-8') as file:
        file.write('\n'.join(vocabulary) + '\n')
    print(len(ids), 'tokens,', len(rows), 'pairs,', len(flat) / len(offsets), 'tokens a text')


main()
