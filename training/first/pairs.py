"""Turns the fetched dictionaries into pairs of texts that mean the same or belong together, and into held-out pairs.

    python3 training/first/pairs.py DIRECTORY

Writes DIRECTORY/pairs.tsv (kind, one, other), DIRECTORY/heldout/<source>.jsonl ({"query", "positive"}).
"""
import collections
import json
import os
import random
import re
import sys

root = sys.argv[1]
random.seed(20261124)
pairs = []


def clean(text):
    return re.sub(r"\s+", " ", re.sub(r"[{}\[\]\\]", "", text)).strip(" ;,.")


def add(kind, one, other):
    one, other = clean(one), clean(other)
    if len(one) > 1 and len(other) > 1 and one.lower() != other.lower():
        pairs.append((kind, one[:400], other[:400]))


def wordnet():
    """https://wordnet.princeton.edu/documentation/wndb5wn: the fields of data.*"""
    synsets = {}
    for part in ("noun", "verb", "adj", "adv"):
        for line in open(f"{root}/root/usr/share/wordnet/data.{part}", encoding="latin-1"):
            if line.startswith("  "):
                continue
            fields, gloss = line.split(" | ", 1)
            fields = fields.split()
            words = [fields[4 + 2 * i].replace("_", " ").split("(")[0] for i in range(int(fields[3], 16))]
            after = 4 + 2 * len(words)
            pointers = [tuple(fields[after + 1 + 4 * i: after + 4 + 4 * i]) for i in range(int(fields[after]))]
            examples = re.findall(r'"([^"]+)"', gloss)
            definition = clean(re.sub(r'"[^"]*"', "", gloss))
            synsets[fields[2] if fields[2] != "s" else "a", fields[0]] = (words, definition, examples, pointers)
    for words, definition, examples, pointers in synsets.values():
        for word in words[:4]:
            add("gloss", word, definition)
        for a, b in zip(words, words[1:4]):
            add("synonym", a, b)
        for example in examples[:3]:
            add("example", example, definition)
            add("example", example, ", ".join(words[:3]))
        for symbol, offset, part in pointers:
            other = synsets.get((part if part != "s" else "a", offset))
            if other is None:
                continue
            if symbol.startswith("@"):
                add("hypernym", words[0], other[0][0])
                if random.random() < 0.5:
                    add("hypernym", definition, other[1])
                else:
                    add("hypernym", definition, ", ".join(other[0][:2]))
            elif symbol in ("+", "&", "#p", "%p", "#m", "%m", "*", ">", "$", "^", ";c", "-c"):
                add("related", words[0], other[0][0])
                if random.random() < 0.5:
                    add("related", words[0], other[1])


def dictionary(name):
    """(headword, body) of a dictd file whose headwords stand at the beginning of a line."""
    head, body = None, []
    for line in open(f"{root}/{name}.dict", encoding="utf-8", errors="replace"):
        if line.strip() and not line[0].isspace():
            if head is not None:
                yield head, "".join(body)
            head, body = line.strip(), []
        else:
            body.append(line)
    if head is not None:
        yield head, "".join(body)


def gcide():
    for head, body in dictionary("gcide"):
        word = re.split(r"[\\,(]", head)[0].strip()
        body = re.sub(r"\[(?:\d{4} Webster|PJC|WordNet[^\]]*|Webster[^\]]*)\]", "", body)
        blocks = [block.strip() for block in re.split(r"\n\s*\n", re.sub(r"^.*?\n(?=   [A-Z1])", "", body, count=1, flags=re.S))]
        last = None
        for block in blocks[:8]:
            text = re.sub(r"--\s*[A-Z][\w. ]*$", "", re.sub(r"^(?:\d+|\([a-z]\))\.?\s*", "", block))
            text = clean(re.sub(r"^\([^)]*\)\s*", "", text))
            if len(text) < 12 or text.startswith(("Syn:", "Note:", "See ")):
                if text.startswith("Syn:"):
                    for synonym in text[4:].split(";")[:5]:
                        add("synonym", word, synonym)
                continue
            if block.startswith(("1", "2", "3", "4", "5", "6")) or last is None:
                add("definition", word, text)
                last = text
            elif last is not None:
                add("quotation", text, word + ": " + last)


def ding():
    """Beolingus' word list, its English side: what translates the same German is a paraphrase."""
    for head, body in dictionary("german-english"):
        english = [clean(re.sub(r"\{[^}]*\}|\([^)]*\)|/[^/]*/", "", part)) for part in re.split(r"[;\n]", body)]
        english = [part for part in english if 2 < len(part) < 120 and re.match(r"^[\x20-\x7e]+$", part)]
        for a, b in list(zip(english, english[1:]))[:4]:
            add("translation", a, b)


def descriptions():
    """Synopsis and paragraphs of Debian's packages."""
    seen = set()
    for record in open(f"{root}/descriptions.txt", encoding="utf-8", errors="replace").read().split("\n\n"):
        match = re.search(r"^Package: (\S+)\n(?:.*\n)*?Description-en: (.*)\n((?: .*\n?)*)", record, re.M)
        if match is None or match[3] in seen:
            continue
        seen.add(match[3])
        paragraphs = [clean(p) for p in re.split(r"\n \.\n", match[3])]
        add("package", match[2], paragraphs[0])
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", paragraphs[0])
        for a, b in list(zip(sentences, sentences[1:]))[:2]:
            if len(a) > 25 and len(b) > 25:
                add("sentence", a, b)


def held_out():
    """Dictionaries that nothing is trained on: a term's first sentence must not name the term."""
    os.makedirs(f"{root}/heldout", exist_ok=True)
    for name in ("jargon", "foldoc", "devil"):
        rows = []
        for head, body in dictionary(name):
            if name == "devil":
                head, _, rest = head.partition(",")
                body = rest.partition(".")[2] + "\n" + body
            body = re.sub(r"^\s*(?:\[[^\]]*\]|<[^>]*>|/[^/]*/|\d+\.|n\.|v\.|adj\.|vi?t?\.)\s*", "", body.strip())
            body = clean(re.sub(r"<[^>]*>|^\s*(?:\d+\.|\[[^\]]*\])", "", body))
            sentence = re.split(r"(?<=[.!?])\s", body)
            text = " ".join(sentence[:2])[:400]
            if len(text) < 60 or len(head) > 40 or not re.match(r"^[A-Za-z][A-Za-z '/-]+$", head):
                continue
            # Two sentences of one definition: the second asks for the first.
            if len(sentence) >= 4 and len(sentence[2]) > 40:
                rows.append({"query": clean(sentence[2])[:300], "positive": text})
        random.Random(7).shuffle(rows)
        with open(f"{root}/heldout/{name}.jsonl", "w", encoding="utf-8") as file:
            for row in rows[:2000]:
                file.write(json.dumps(row) + "\n")
        print(name, len(rows))


wordnet()
gcide()
ding()
descriptions()
held_out()
pairs = sorted(set(pairs))
random.shuffle(pairs)
with open(f"{root}/pairs.tsv", "w", encoding="utf-8") as file:
    for row in pairs:
        file.write("\t".join(row) + "\n")
print(len(pairs), collections.Counter(kind for kind, *_ in pairs))
