"""Reads the unpacked packages and writes pairs of texts that mean the same: pairs.tsv (source, a, b), and held-out ones.

usage: pairs.py DIRECTORY   (what fetch.sh made)
"""
import gzip
import itertools
import json
import os
import random
import re
import sys

CACHE = sys.argv[1]
ROOT = os.path.join(CACHE, 'root', 'usr', 'share')
random.seed(20261124)
space = re.compile(r'\s+')
clean = lambda text: space.sub(' ', text).strip()


def path(package, *parts):
    """A file below /usr/share; the package is named for the reader."""
    return os.path.join(ROOT, *parts)


def dictd(package, name):
    with gzip.open(path(package, 'dictd', name + '.dict.dz'), 'rt', encoding='utf-8', errors='replace') as file:
        return file.read()


def some(items, count):
    items = list(items)
    return random.sample(items, min(count, len(items)))


def groups(words, limit):
    """Pairs within a group of words that mean the same: up to `limit` of them."""
    words = list(dict.fromkeys(w for w in words if w and len(w) < 80))
    pairs = list(itertools.combinations(words, 2))
    return some(pairs, limit)


def wordnet():
    synsets = {}
    for part in ('noun', 'verb', 'adj', 'adv'):
        letter = {'noun': 'n', 'verb': 'v', 'adj': 'a', 'adv': 'r'}[part]
        for line in open(path('wordnet-base', 'wordnet', 'data.' + part), encoding='utf-8'):
            if line.startswith('  '):
                continue
            head, gloss = line.split(' | ', 1)
            f = head.split()
            count = int(f[3], 16)
            words = [re.sub(r'\(\w+\)$', '', w).replace('_', ' ') for w in f[4:4 + 2 * count:2]]
            n = int(f[4 + 2 * count])
            rest = f[5 + 2 * count:]
            pointers = [(rest[4 * i], rest[4 * i + 2].replace('s', 'a') + rest[4 * i + 1]) for i in range(n)]
            examples = re.findall(r'"([^"]+)"', gloss)
            definition = clean(re.sub(r'["`].*', '', gloss)).rstrip('; ')
            synsets[letter + f[0]] = (words, definition, examples, pointers)
    for words, definition, examples, pointers in synsets.values():
        for word in words[:4]:
            if definition:
                yield 'wn-gloss', word, definition
        for a, b in groups(words, 4):
            yield 'wn-synonym', a, b
        for example in examples[:3]:
            yield 'wn-example', definition, example
            for word in words[:2]:
                if word.split()[0] not in example:
                    yield 'wn-example', word, example
        for kind, target in pointers:
            if target not in synsets:
                continue
            other_words, other_definition, _, _ = synsets[target]
            if kind in ('@', '@i'):
                yield 'wn-hypernym', words[0], other_words[0]
                yield 'wn-hypernym-gloss', definition, other_words[0] + ', ' + words[0]
            elif kind in ('+', '&', '%p', '%m', '#p', '#m', ';c', '^', '*', '>', '$', '\\', '='):
                yield 'wn-related', random.choice(words), random.choice(other_words)
                if kind in ('&', ';c', '>', '*'):
                    yield 'wn-related', definition, random.choice(other_words)


def gcide():
    text = re.sub(r'\[[^\]]*\]', '', dictd('dict-gcide', 'gcide'))
    for entry in re.split(r'\n(?=\S)', text):
        match = re.match(r'(.+?) *\\[^\\]*\\', entry)
        if not match:
            continue
        word = clean(match.group(1))
        if len(word) > 40:
            continue
        body = '\n'.join(entry.split('\n')[1:])
        for synonyms in re.findall(r'Syn: (.+?)(?:\n\s*\n|\.|$)', body, re.S):
            for a, b in groups([word] + [clean(s) for s in re.split(r'[;,]', synonyms)], 5):
                yield 'gcide-synonym', a, b
        body = re.sub(r'Syn:.*', '', body, flags=re.S)
        for sense in re.split(r'\n\s*\n', body):
            quote = re.match(r'\n?\s{10,}', sense)
            sense = clean(re.sub(r'[{}]', '', re.sub(r'--\s?\w[\w. &]*$', '', sense.strip())))
            sense = clean(re.sub(r'^(\d+\.|\([a-z]\))\s*|\([A-Z][\w. ]*\)\s*', '', sense))
            if not 12 < len(sense):
                continue
            if quote:
                yield 'gcide-quote', word, sense[:250]
                continue
            definition, *examples = re.split(r'; as,? ', sense)
            yield 'gcide-definition', word, definition[:250]
            for example in examples[:1]:
                if len(example) > 12:
                    yield 'gcide-example', definition[:200], example[:200]


def glosses():
    """Dictionaries from another language: what translates one word means the same."""
    for line in open(path('edict', 'edict', 'edict'), encoding='euc-jp', errors='replace'):
        senses, current = [], []
        for gloss in line.split('/')[1:]:
            gloss = gloss.strip()
            if re.match(r'\([^)]*\)', gloss) and '(2)' in gloss[:30] or re.search(r'^\(?.{0,20}\(\d+\)', gloss):
                senses.append(current)
                current = []
            gloss = clean(re.sub(r'\([^)]*\)|\{[^}]*\}', '', gloss))
            if gloss and not gloss.startswith('EntL') and gloss != 'P':
                current.append(gloss)
        for sense in senses + [current]:
            for a, b in groups(sense, 4):
                yield 'edict', a, b
    for language in ('fra-eng', 'spa-eng'):
        for line in dictd('dict-freedict-' + language, 'freedict-' + language).split('\n'):
            if ', ' in line and not re.search(r'[<>/0-9]', line):
                for a, b in groups(line.split(', '), 4):
                    yield 'freedict', a.strip(), b.strip()


def ding():
    """The German dictionary of TU Chemnitz, its English side: `a; b | c; d`, alternatives of one meaning between bars."""
    previous = []
    for line in dictd('dict-de-en', 'german-english').split('\n'):
        if not line.startswith('   '):
            continue
        line = clean(re.sub(r'\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|/[A-Z]+/', ' ', line))
        alternatives = [clean(part) for part in line.split(';')]
        alternatives = [part for part in alternatives if part and '|' not in part][:6]
        # Neighbours in the dictionary translate spellings of one word: the same line again says nothing new.
        if alternatives != previous:
            for a, b in groups(alternatives, 4):
                yield 'ding', re.sub(r'^to ', '', a), re.sub(r'^to ', '', b)
        previous = alternatives


def thesaurus():
    """The thesaurus of LibreOffice: a word, and lines of words that mean it."""
    word = None
    for line in open(path('mythes-en-us', 'mythes', 'th_en_US_v2.dat'), encoding='latin-1'):
        parts = line.rstrip('\n').split('|')
        if parts[0].startswith('('):
            synonyms = [re.sub(r'\s*\(.*', '', w) for w in parts[1:] if 'antonym' not in w]
            for other in some(synonyms, 3):
                yield 'mythes', word, other
        else:
            word = parts[0]


def packages():
    seen = set()
    with open(os.path.join(CACHE, 'descriptions.txt'), encoding='utf-8', errors='replace') as file:
        text = file.read()
    for block in text.split('\n\n'):
        match = re.search(r'Description-en: (.*)\n((?: .*\n?)+)', block)
        if not match or match.group(0) in seen:
            continue
        synopsis, body = match.group(1), match.group(2)
        if re.search(r'\b(librust|golang|debug symbols|development files|shared librar|transitional)', block):
            continue
        for paragraph in body.split('\n .\n')[:2]:
            paragraph = clean(paragraph)
            if paragraph[:80] not in seen and len(paragraph) > 40:
                seen.add(paragraph[:80])
                yield 'debian', re.sub(r'^.* -- ', '', synopsis), paragraph[:300]


def things():
    """Everyday things of a game: their names and descriptions."""
    base = path('cataclysm-dda-data', 'games', 'cataclysm-dda')
    text_of = lambda v: v.get('str') or v.get('str_sp') or '' if isinstance(v, dict) else v if isinstance(v, str) else ''
    for folder, _, files in sorted(os.walk(os.path.join(base, 'json'))):
        for name in sorted(files):
            if not name.endswith('.json'):
                continue
            try:
                entries = json.load(open(os.path.join(folder, name)))
            except ValueError:
                continue
            for entry in entries if isinstance(entries, list) else []:
                if not isinstance(entry, dict):
                    continue
                title, body = clean(text_of(entry.get('name'))), clean(text_of(entry.get('description')))
                if title and len(body) > 15:
                    yield 'cataclysm', title, re.sub(r'<[^>]*>', '', body)[:300]


def emoji():
    for kind in ('annotations', 'annotationsDerived'):
        file = path('unicode-cldr-core', 'unicode', 'cldr', 'common', kind, 'en.xml')
        text = open(file, encoding='utf-8').read()
        words = {}
        for code, value in re.findall(r'<annotation cp="([^"]+)"(?: type="tts")?>([^<]+)<', text):
            words.setdefault(code, []).append(value)
        for values in words.values():
            parts = [clean(p) for v in values for p in v.split('|')]
            for a, b in groups(parts, 6):
                yield 'cldr', a, b


def xml_title(text, tag):
    match = re.search(rf'<{tag}\b[^>]*>(.*?)</{tag}>', text, re.S)
    return clean(re.sub(r'<[^>]+>', '', match.group(1))) if match else ''


def held_out_gnome():
    folder = path('gnome-user-docs', 'help', 'C', 'gnome-help')
    for name in sorted(os.listdir(folder)):
        if name.endswith('.page'):
            text = open(os.path.join(folder, name), encoding='utf-8').read()
            title = xml_title(re.sub(r'<info.*?</info>', '', text, flags=re.S), 'title')
            desc = xml_title(text, 'desc')
            if title and len(desc) > 15 and title.lower() not in desc.lower():
                yield title, desc


def held_out_dictionary(package, name):
    text = dictd(package, name)
    for entry in re.split(r'\n(?=\S)', text):
        word, _, body = entry.partition('\n')
        word = re.sub(r',.*|/.*', '', word).strip()
        body = clean(re.sub(r'\[[^\]]*\]|<[^>]*>|[{}]|^\s*(n|adj|v|vt|vi)\.\s', ' ', body))
        body = re.sub(r'^\d+\.\s*', '', body)
        if 2 < len(word) < 40 and len(body) > 60 and not body.startswith('See ') and '00-' not in word:
            # The passage without the word itself: what is asked is its meaning.
            yield word, clean(re.sub(re.escape(word), '', body, flags=re.I))[:300]


def main():
    out = open(os.path.join(CACHE, 'second.tsv'), 'w', encoding='utf-8')
    counts, seen = {}, set()
    for source in (wordnet, gcide, glosses, ding, thesaurus, packages, things, emoji):
        for kind, a, b in source():
            a, b = clean(a), clean(b)
            if not a or not b or a.lower() == b.lower() or (a.lower(), b.lower()) in seen:
                continue
            seen.add((a.lower(), b.lower()))
            counts[kind] = counts.get(kind, 0) + 1
            out.write(f'{kind}\t{a}\t{b}\n')
    out.close()
    print(counts)
    folder = os.path.join(CACHE, 'heldout')
    os.makedirs(folder, exist_ok=True)
    sets = {'gnome-help': held_out_gnome(), 'foldoc-terms': held_out_dictionary('dict-foldoc', 'foldoc'),
            'jargon-terms': held_out_dictionary('dict-jargon', 'jargon')}
    for name, pairs in sets.items():
        pairs = list(dict(pairs).items())
        pairs = some(pairs, 1000)
        with open(os.path.join(folder, name + '.jsonl'), 'w', encoding='utf-8') as file:
            for query, positive in pairs:
                file.write(json.dumps({'query': query, 'positive': positive}, ensure_ascii=False) + '\n')
        print(name, len(pairs))


main()
