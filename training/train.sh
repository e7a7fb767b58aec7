#!/bin/sh
# gteway-mini from nothing: packages, pairs, vocabularies, two stages of training, the shipped files.
#
#   npm run train        in .cache/mini; needs apt-get and python3-torch, python3-numpy, python3-scipy of Debian 12
#
# An hour of one core, more or less. What is there already is not made again: remove .cache/mini to begin anew.
set -eu
cd "$(dirname "$0")/.."
work=.cache/mini
python=${PYTHON:-/usr/bin/python3}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
mkdir -p "$work"
[ -f $work/packages.txt ] || training/fetch.sh $work
# First stage: word vectors from co-occurrence, then a table trained by itself.
[ -f $work/pairs.tsv ] || "$python" training/first/pairs.py $work
[ -f $work/tokens.npz ] || "$python" training/first/vocabulary.py $work
[ -f $work/static.pt ] || "$python" training/first/train.py $work --layers 0 --static-steps 2600 --name static
# Second stage: more sources, a larger vocabulary, and how much each token weighs.
[ -f $work/second.tsv ] || "$python" training/second/pairs.py $work
[ -f $work/second.npz ] || "$python" training/second/vocabulary.py $work 16384
"$python" training/second/train.py $work 2200
"$python" training/second/to_bert.py $work/second.pt $work/mini.npz
"$python" training/unpack.py $work mini second-vocab.txt
npm run build:ts
node training/export.mjs $work/mini.json models/gteway-mini
