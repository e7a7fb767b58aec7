"""Trains gteway-mini contrastively: InfoNCE with the other pairs of the batch as negatives.

usage: train.py DIRECTORY STEPS [--batch 1024] [--rate 0.012] [--minutes N]

Begins with the table of the first stage (static.pt, vocab.txt) and resumes from second.pt; what a batch holds follows
from the seed and the step alone.
"""
import argparse
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from model import Mini

parser = argparse.ArgumentParser()
parser.add_argument('cache')
parser.add_argument('steps', type=int)
parser.add_argument('--batch', type=int, default=1024)
parser.add_argument('--rate', type=float, default=0.012)
parser.add_argument('--temperature', type=float, default=0.05)
parser.add_argument('--minutes', type=float, default=1e9, help='the rate falls to nothing by then')
parser.add_argument('--threads', type=int, default=1)
parser.add_argument('--name', default='second')
options = parser.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(13)

data = np.load(os.path.join(options.cache, 'second.npz'))
flat, offsets, kind, kinds = data['flat'], data['offsets'], data['kind'], list(data['kinds'])
# How often a source is drawn, relative to its size: sentences before single words, English before descriptions.
DRAW = {'wn-example': 4.0, 'wn-gloss': 1.5, 'wn-synonym': 0.7, 'wn-hypernym': 0.7, 'wn-related': 0.7, 'mythes': 0.3, 'ding': 1.5,
        'edict': 1.0, 'cataclysm': 4.0, 'cldr': 5.0, 'gcide-example': 3.0, 'gcide-quote': 1.0, 'gcide-synonym': 1.0,
        'gcide-definition': 0.8, 'debian': 0.8, 'freedict': 3.0}
weight = np.array([DRAW.get(str(k), 1.0) for k in kinds])[kind]
cumulative = np.cumsum(weight / weight.sum())


def texts(numbers):
    lengths = offsets[numbers + 1] - offsets[numbers]
    text = np.repeat(np.arange(len(numbers)), lengths)
    starts = np.cumsum(lengths) - lengths
    places = np.arange(len(text)) - starts[text] + offsets[numbers][text]
    flat_ids = torch.from_numpy(flat[places].astype(np.int64))
    text = torch.from_numpy(text)
    keys = torch.zeros(len(numbers), dtype=torch.long).index_add(0, text, (flat_ids * 2654435761) % 1000003 * (torch.from_numpy(places - offsets[numbers][text.numpy()]) + 7))
    return flat_ids, text, keys


# What a person puts before what is meant: put in front of some of the short texts, it should not matter.
OPENINGS = ['what is', 'what is a', 'how to', 'how do i', 'how do you', 'how can i', 'why does', 'why do', 'why is', 'what do i do', 'what makes',
            'who', 'when to', 'when should i', 'where do', 'where can i', 'tips for', 'is there a', 'best way to', 'can you', 'i want to', 'i need', 'my',
            'the', 'a', 'that', 'should i', 'what to do when', 'what do you call', 'something', 'someone who', 'a thing', 'it is', 'they']
vocabulary = open(os.path.join(options.cache, 'second-vocab.txt'), encoding='utf-8').read().splitlines()
numbers_of = {token: i for i, token in enumerate(vocabulary)}
openings = [[numbers_of[w] for w in phrase.split()] for phrase in OPENINGS]


def with_openings(flat_ids, text, generator):
    lengths = np.bincount(text)
    starts = np.cumsum(lengths) - lengths
    chosen = np.flatnonzero((lengths < 16) & (generator.random(len(lengths)) < 0.25))
    phrases = [openings[i] for i in generator.integers(len(openings), size=len(chosen))]
    at = np.repeat(starts[chosen] + 1, [len(p) for p in phrases])
    flat_ids = np.insert(flat_ids.numpy(), at, [i for p in phrases for i in p])
    text = np.insert(text.numpy(), at, np.repeat(chosen, [len(p) for p in phrases]))
    return torch.from_numpy(flat_ids), torch.from_numpy(text)


def from_static():
    """The table of the static stage, whose vocabulary was smaller: new words begin as the mean of their pieces."""
    state = torch.load(os.path.join(options.cache, 'static.pt'))
    old = {t: i for i, t in enumerate(open(os.path.join(options.cache, 'vocab.txt'), encoding='utf-8').read().splitlines())}
    source = F.layer_norm(state['table'], [state['table'].shape[1]])
    rows = []
    for token in vocabulary:
        if token in old:
            rows.append(source[old[token]])
            continue
        word, pieces, start = token[2:] if token.startswith('##') and len(token) > 2 else token, [], 0
        inside = token != word
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ('##' if start or inside else '') + word[start:end]
                if piece in old:
                    pieces.append(old[piece])
                    start = end
                    break
            else:
                pieces = [1]
                break
        rows.append(source[pieces].mean(0))
    return torch.stack(rows), state['gamma']


model = Mini(*from_static())
dense = [model.key.weight, model.gamma]
optimizer = torch.optim.Adam([{'params': [model.words], 'lr': options.rate}, {'params': dense, 'lr': options.rate / 5}], betas=(0.9, 0.98))
path = os.path.join(options.cache, options.name + '.pt')
step = 0
if os.path.exists(path):
    state = torch.load(path)
    model.load_state_dict(state['model'])
    optimizer.load_state_dict(state['optimizer'])
    step = state['step']
begin, average = time.time(), None
while step < options.steps:
    elapsed = (time.time() - begin) / 60 / options.minutes
    progress = max(step / options.steps, elapsed if options.minutes < 1e8 else 0)
    if progress >= 1:
        break
    factor = min(1, (step + 1) / 50) * (1 - progress)
    for group, base in zip(optimizer.param_groups, (options.rate, options.rate / 5)):
        group['lr'] = base * factor
    generator = np.random.default_rng([13, step])
    rows = np.searchsorted(cumulative, generator.random(options.batch))
    ids, text, keys = texts(np.concatenate([2 * rows, 2 * rows + 1]))
    ids, text = with_openings(ids, text, generator)
    both = model(ids, text, 2 * len(rows))
    a, b = F.normalize(both, dim=1).chunk(2)
    key_a, key_b = keys.chunk(2)
    logits = a @ b.T / options.temperature
    target = torch.arange(len(rows))
    # The same text twice in a batch is no negative of itself.
    same = (key_a[:, None] == key_a[None, :]) | (key_b[:, None] == key_b[None, :])
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same, -1e4)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    raw_a, raw_b = both.chunk(2)
    if step % 2 == 0:
        width = (64, 128)[step // 2 % 2]
        small = F.normalize(raw_a[:, :width], dim=1) @ F.normalize(raw_b[:, :width], dim=1).T / options.temperature
        loss = loss + 0.5 * F.cross_entropy(small.masked_fill(same, -1e4), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    step += 1
    average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
    if step % 25 == 0:
        print(f'{step} {average:.4f} {time.time() - begin:.0f}s', flush=True)
    if step % 100 == 0:
        torch.save({'model': model.state_dict(), 'optimizer': optimizer.state_dict(), 'step': step}, path + '.new')
        os.replace(path + '.new', path)
torch.save({'model': model.state_dict(), 'optimizer': optimizer.state_dict(), 'step': step}, path)
print('done', step, average)
