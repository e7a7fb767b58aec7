"""The trained table and scores as the tensors of a BertModel: to_bert.py CHECKPOINT TARGET.npz"""
import sys
import numpy as np
import torch

state = torch.load(sys.argv[1])['model']
table, key = state['words'], state['key.weight']
hidden, heads = table.shape[1], key.shape[0]
head, inner, gain = hidden // heads, 32, 4.0
one, zero = torch.ones(hidden), torch.zeros(hidden)
# A constant query that reads one coordinate of each head, which holds the token's score.
query_bias, key_weight = torch.zeros(hidden), torch.zeros(hidden, hidden)
for h in range(heads):
    query_bias[h * head] = head**0.5
    key_weight[h * head] = key[h]
layer = {
    'attention.self.query': (torch.zeros(hidden, hidden), query_bias),
    'attention.self.key': (key_weight, zero),
    'attention.self.value': (torch.eye(hidden), zero),
    'attention.output.dense': (gain * torch.eye(hidden), zero),
    'attention.output.LayerNorm': (one, zero),
    'intermediate.dense': (torch.zeros(inner, hidden), torch.zeros(inner)),
    'output.dense': (torch.zeros(hidden, inner), zero),
    'output.LayerNorm': (state['gamma'] * state['kept'], zero),
}
named = {
    'embeddings.word_embeddings.weight': table,
    'embeddings.position_embeddings.weight': torch.zeros(512, hidden),
    'embeddings.token_type_embeddings.weight': torch.zeros(2, hidden),
    'embeddings.LayerNorm.weight': one,
    'embeddings.LayerNorm.bias': zero,
}
for place, (weight, bias) in layer.items():
    named[f'encoder.layer.0.{place}.weight'], named[f'encoder.layer.0.{place}.bias'] = weight, bias
np.savez(sys.argv[2], **{name: tensor.numpy() for name, tensor in named.items()})
