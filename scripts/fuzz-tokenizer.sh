#!/bin/sh
# Fuzzes the tokenizer and its configuration under AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   scripts/fuzz-tokenizer.sh [SECONDS, default 20] [more libFuzzer options]
#
# Needs clang (Debian: apt install clang); CXX names another one. Findings are left in build/fuzz.
set -eu
seconds=${1:-20}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/.."
CXX=${CXX:-clang++}
if ! command -v "$CXX" >/dev/null; then
  echo "fuzz-tokenizer: $CXX is not installed (Debian: apt install clang)" >&2
  exit 77
fi
build=build/fuzz
mkdir -p "$build/corpus"
node scripts/fuzz-tokenizer-seeds.mjs "$build/corpus"
cmake -S native -B "$build" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DGTEWAY_ADDON=OFF -DGTEWAY_FUZZ=ON -DGTEWAY_SANITIZE=fuzzer-no-link,address,undefined >/dev/null
cmake --build "$build" --target gteway_tokenizer_fuzz --parallel 2
exec "$build/gteway_tokenizer_fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=4096 \
  -artifact_prefix="$build/" -print_final_stats=1 -dict=native/fuzz/tokenizer.dict "$@" "$build/corpus"
