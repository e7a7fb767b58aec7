"""A model's tensors and vocabulary as files that JavaScript reads: python3 training/unpack.py DIRECTORY NAME VOCABULARY"""
import json
import os
import sys

import numpy

root, name, words = sys.argv[1:]
os.makedirs(f"{root}/{name}", exist_ok=True)
tensors = {}
for key, value in numpy.load(f"{root}/{name}.npz").items():
    value.astype("<f4").tofile(f"{root}/{name}/{key}")
    tensors[key] = {"dims": list(value.shape), "file": f"{name}/{key}"}
vocabulary = open(f"{root}/{words}", encoding="utf-8").read().splitlines()
with open(f"{root}/{name}.json", "w", encoding="utf-8") as file:
    json.dump({"vocabulary": vocabulary, "heads": 7, "tensors": tensors}, file)
