"""Trains gteway-mini: word vectors, then a BERT whose mean of token vectors tells which texts belong together.

    python3 training/first/train.py DIRECTORY [--layers N] [--steps S] [--minutes M] [--name NAME]

Reads tokens.npz and vocab.txt. Stage 1 trains the embedding table alone (a BERT of no layers: LayerNorm and mean), from a
truncated SVD of the positive pointwise mutual information of neighbouring tokens. Stage 2 puts layers on top that begin
as the identity. Loss: InfoNCE over the batch, both ways, at each Matryoshka width. Checkpoints make both resumable.
"""
import argparse
import os
import time

import numpy
import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("root")
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--static-steps", type=int, default=9000)
parser.add_argument("--minutes", type=float, default=25)
parser.add_argument("--name", default="mini")
options = parser.parse_args()
root = options.root

hidden, null, head = 224, 2, 32
widths = [64, 128, hidden]
temperature = 0.05
torch.manual_seed(20261124)
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
random = numpy.random.default_rng(20261124)

data = numpy.load(f"{root}/tokens.npz")
tokens, offsets, pairs, kinds = data["tokens"], data["offsets"], data["pairs"], data["kinds"]
vocabulary = open(f"{root}/vocab.txt", encoding="utf-8").read().splitlines()
size = len(vocabulary)
ids = {token: i for i, token in enumerate(vocabulary)}

# What a person puts before what is meant, in front of some of the short sides: it should not matter.
openings = ["what is", "what is a", "how to", "how do i", "how do you", "why does", "why do", "meaning of", "what makes",
            "who", "when to", "where do", "tips for", "something about", "is there a", "best way to", "can you", "i want to"]
openings = [[ids[word] for word in phrase.split() if word in ids] for phrase in openings]


def word_vectors():
    """PPMI with shifted counts (Levy and Goldberg 2014), window 5, context distribution to the power 0.75."""
    path = f"{root}/vectors.npy"
    if os.path.exists(path):
        return numpy.load(path)
    import scipy.sparse
    import scipy.sparse.linalg

    begin = numpy.zeros(len(tokens), numpy.int32)
    begin[offsets[:-1]] = 1
    text = numpy.cumsum(begin)
    counts = scipy.sparse.csr_matrix((size, size), dtype=numpy.float32)

    def count(a, b, weight):
        keep = (a > 4) & (b > 4)
        return scipy.sparse.csr_matrix((numpy.full(keep.sum(), weight, numpy.float32), (a[keep], b[keep])), (size, size))

    for distance in range(1, 6):
        same = text[:-distance] == text[distance:]
        counts += count(tokens[:-distance][same], tokens[distance:][same], 1 / distance)
    # A pair is one context: its sides say the same.
    first = tokens[offsets[pairs[:, 0]] + 1]
    for place in range(1, 12):
        at = offsets[pairs[:, 1]] + place
        fits = at < offsets[pairs[:, 1] + 1] - 1
        counts += count(first[fits], tokens[at[fits]], 0.5)
    counts = counts + counts.T
    row = numpy.asarray(counts.sum(1)).ravel() + 1
    column = (numpy.asarray(counts.sum(0)).ravel() + 1) ** 0.75
    ppmi = counts.tocoo()
    ppmi.data = numpy.maximum(numpy.log(ppmi.data * column.sum() / (row[ppmi.row] * column[ppmi.col])), 0)
    start = numpy.ones(size) / size**0.5
    u, s, _ = scipy.sparse.linalg.svds(ppmi.tocsr().astype(numpy.float32), hidden - null, v0=start.astype(numpy.float32))
    u, s = u[:, ::-1], s[::-1]
    vectors = (u * numpy.sqrt(s)).astype(numpy.float32)
    vectors -= vectors.mean(0)
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6
    numpy.save(path, vectors)
    return vectors


def initial_table():
    """Frequent tokens count less (Arora et al. 2017). LayerNorm gives all rows one length, so what a token does not weigh
    goes into two coordinates that cancel in the mean and that the last LayerNorm drops."""
    frequency = numpy.bincount(tokens, minlength=size) / len(tokens)
    weight = numpy.clip(1e-3 / (1e-3 + frequency), 0.05, 0.9)
    weight[:5] = 0.05
    table = numpy.zeros((size, hidden), numpy.float32)
    table[:, : hidden - null] = word_vectors() * weight[:, None] * hidden**0.5
    rest = numpy.sqrt((1 - weight**2) * hidden / 2)
    table[:, -2], table[:, -1] = rest, -rest
    return torch.tensor(table)


def batches(count):
    """Indices of pairs, each text once in a batch, and the two sides' texts as lists of token arrays."""
    order = random.permutation(len(pairs))
    for start in range(0, len(order) - count, count):
        chosen = pairs[order[start:start + count]]
        flip = random.random(count) < 0.5
        chosen = numpy.where(flip[:, None], chosen[:, ::-1], chosen)
        yield [[side(i) for i in column] for column in chosen.T], chosen


def side(i):
    text = tokens[offsets[i]:offsets[i + 1]]
    if len(text) <= 6 and random.random() < 0.25:
        text = numpy.concatenate([text[:1], openings[random.integers(len(openings))], text[1:]])
    return text


def loss_of(one, other, chosen):
    """One side's own text must be found among all others of the batch. The same text elsewhere is no wrong answer."""
    same = torch.tensor(chosen[:, None, 1] == chosen[None, :, 1]) | torch.tensor(chosen[:, None, 0] == chosen[None, :, 0])
    same.fill_diagonal_(False)
    target = torch.arange(len(chosen))
    total = 0
    for width in widths:
        a, b = F.normalize(one[:, :width], dim=1), F.normalize(other[:, :width], dim=1)
        scores = (a @ b.T / temperature).masked_fill(same, -1e4)
        total = total + (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2
    return total / len(widths)


class Static(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Parameter(initial_table())
        gamma = torch.ones(hidden)
        gamma[-null:] = 0
        self.gamma = torch.nn.Parameter(gamma)

    def forward(self, texts):
        rows = F.layer_norm(self.table, [hidden]) * self.gamma * (self.gamma != 0)
        flat = torch.tensor(numpy.concatenate(texts), dtype=torch.long)
        starts = torch.tensor(numpy.cumsum([0] + [len(t) for t in texts[:-1]]))
        return F.embedding_bag(flat, rows, starts, mode="mean")


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name, (rows, columns) in dict(query=(hidden, hidden), key=(hidden, hidden), value=(hidden, hidden),
                                          attended=(hidden, hidden), inner=(4 * hidden, hidden), outer=(hidden, 4 * hidden)).items():
            linear = torch.nn.Linear(columns, rows)
            # What is added to the identity begins small.
            torch.nn.init.normal_(linear.weight, std=0.003 if name in ("attended", "outer") else 0.05)
            torch.nn.init.zeros_(linear.bias)
            setattr(self, name, linear)
        self.norm1, self.norm2 = torch.nn.LayerNorm(hidden, 1e-12), torch.nn.LayerNorm(hidden, 1e-12)

    def forward(self, x, mask):
        batch, length, _ = x.shape
        split = lambda y: y.view(batch, length, hidden // head, head).transpose(1, 2)
        scores = split(self.query(x)) @ split(self.key(x)).transpose(2, 3) / head**0.5 + mask
        mixed = (scores.softmax(-1) @ split(self.value(x))).transpose(1, 2).reshape(batch, length, hidden)
        x = self.norm1(x + self.attended(mixed))
        return self.norm2(x + self.outer(F.gelu(self.inner(x))))


class Bert(torch.nn.Module):
    def __init__(self, static, layers):
        super().__init__()
        self.words = torch.nn.Parameter(static.table.detach().clone())
        self.positions = torch.nn.Parameter(torch.zeros(512, hidden))
        self.norm = torch.nn.LayerNorm(hidden, 1e-12)
        self.layers = torch.nn.ModuleList(Layer() for _ in range(layers))
        with torch.no_grad():
            self.layers[-1].norm2.weight.copy_(static.gamma * (static.gamma != 0))

    def forward(self, texts):
        length = max(map(len, texts))
        padded = torch.zeros(len(texts), length, dtype=torch.long)
        for row, text in enumerate(texts):
            padded[row, : len(text)] = torch.as_tensor(text, dtype=torch.long)
        real = torch.tensor([len(t) for t in texts])[:, None] > torch.arange(length)
        x = self.norm(self.words[padded] + self.positions[:length])
        mask = torch.where(real, 0.0, -1e9)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        weight = real[:, :, None].float()
        return (x * weight).sum(1) / weight.sum(1)


def in_pieces(model, texts, piece=128):
    """Sorted by length, so that little is padded."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    rows = torch.cat([model([texts[i] for i in order[s:s + piece]]) for s in range(0, len(order), piece)])
    return rows[torch.tensor(numpy.argsort(order))]


def train_static():
    path = f"{root}/static.pt"
    model = Static()
    if os.path.exists(path):
        model.load_state_dict(torch.load(path))
        return model
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03, betas=(0.9, 0.98))
    step, begin, average = 0, time.time(), 0
    while step < options.static_steps:
        for texts, chosen in batches(1024):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = 0.03 * min(1, step / 200) * max(0.02, 1 - step / options.static_steps)
            loss = loss_of(model(texts[0]), model(texts[1]), chosen)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average = 0.99 * average + 0.01 * loss.item()
            if step % 200 == 0:
                print(f"static {step} loss {average / (1 - 0.99**step):.4f} {time.time() - begin:.0f} s", flush=True)
            if step >= options.static_steps:
                break
    torch.save(model.state_dict(), path)
    return model


def train_bert(static):
    """For as long as it may: the learning rate falls with the time that is left."""
    path = f"{root}/{options.name}-checkpoint.pt"
    model, used, step = Bert(static, options.layers), 0.0, 0
    table = [model.words, model.positions]
    others = [p for p in model.parameters() if all(p is not t for t in table)]
    # The dropped coordinates stay dropped.
    model.layers[-1].norm2.weight.register_hook(lambda g: torch.cat([g[:-null], torch.zeros(null)]))
    optimizer = torch.optim.AdamW([{"params": table, "lr": 4e-3, "peak": 4e-3}, {"params": others, "lr": 5e-4, "peak": 5e-4}],
                                  betas=(0.9, 0.98), weight_decay=0)
    if os.path.exists(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        used, step = state["used"], state["step"]
    begin, average, limit = time.time() - used, 0, options.minutes * 60
    while time.time() - begin < limit:
        for texts, chosen in batches(768):
            left = 1 - (time.time() - begin) / limit
            if left <= 0:
                break
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min(1, step / 100) * max(0.02, left)
            loss = loss_of(in_pieces(model, texts[0]), in_pieces(model, texts[1]), chosen)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            average = 0.98 * average + 0.02 * loss.item()
            if step % 20 == 0:
                print(f"bert {step} loss {average / (1 - 0.98**step):.4f} {time.time() - begin:.0f} s", flush=True)
            if step % 100 == 0:
                torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                            "used": time.time() - begin, "step": step}, path)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "used": limit, "step": step}, path)
    return model


def write(model, path):
    """The tensors of a BertModel, as float32; export.mjs makes the shipped files of them."""
    named = {"embeddings.word_embeddings.weight": model.words, "embeddings.position_embeddings.weight": model.positions,
             "embeddings.token_type_embeddings.weight": torch.zeros(2, hidden),
             "embeddings.LayerNorm.weight": model.norm.weight, "embeddings.LayerNorm.bias": model.norm.bias}
    places = dict(query="attention.self.query", key="attention.self.key", value="attention.self.value",
                  attended="attention.output.dense", inner="intermediate.dense", outer="output.dense",
                  norm1="attention.output.LayerNorm", norm2="output.LayerNorm")
    for i, layer in enumerate(model.layers):
        for name, place in places.items():
            for kind in ("weight", "bias"):
                named[f"encoder.layer.{i}.{place}.{kind}"] = getattr(getattr(layer, name), kind)
    numpy.savez(path, **{name: tensor.detach().numpy() for name, tensor in named.items()})


static = train_static()
if options.layers == 0:
    model = Bert(static, 1)
    for parameter in (model.layers[0].attended.weight, model.layers[0].outer.weight):
        torch.nn.init.zeros_(parameter)
else:
    model = train_bert(static)
write(model, f"{root}/{options.name}.npz")
