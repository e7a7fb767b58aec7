"""gteway-mini: a BERT of one layer whose attention is a learned weighted mean.

The query of every head is a constant (its weight is zero, its bias is learned), so that a token's attention weight
depends on the token alone: softmax over the text of the head's score. Keys start at zero: the plain mean. Values pass
through; the sum of the token and `gain` times the weighted mean is normalised, and the mean over tokens pooled. That
is a weighted mean of word vectors as a BERT computes it, and it costs no T x T product in training.
"""
import torch
from torch import nn
import torch.nn.functional as F


class Mini(nn.Module):
    def __init__(self, table, gamma, heads=7, gain=4.0):
        super().__init__()
        hidden = table.shape[1]
        self.heads, self.gain = heads, gain
        self.words = nn.Parameter(table.clone())
        self.key = nn.Linear(hidden, heads, bias=False)  # the product of a head's constant query with its key matrix
        self.gamma = nn.Parameter(gamma.clone())
        self.register_buffer('kept', (gamma != 0).float())
        nn.init.zeros_(self.key.weight)

    def forward(self, flat, text, count):
        """flat: token ids of all texts, text: which text each belongs to, count: how many; returns [count, hidden]."""
        hidden = self.words.shape[1]
        x = F.layer_norm(self.words[flat], (hidden,), eps=1e-12)
        weight = torch.exp(self.key(x).clamp(-15, 15))
        total = torch.zeros(count, self.heads).index_add(0, text, weight)
        weighted = (x.view(len(flat), self.heads, -1) * (weight / total[text])[..., None]).reshape(len(flat), hidden)
        mean = torch.zeros(count, hidden).index_add(0, text, weighted)
        y = F.layer_norm(x + self.gain * mean[text], (hidden,), eps=1e-12)
        pooled = torch.zeros(count, hidden).index_add(0, text, y)
        # The second LayerNorm: of what the first made it changes nothing but by its factors.
        return pooled * self.gamma * self.kept
