#!/bin/sh
# Fuzzes what reads files and texts of others, under AddressSanitizer and UndefinedBehaviorSanitizer with 512 MB.
#
#   scripts/fuzz.sh TARGET|all [SECONDS of each, default 20] [more libFuzzer options]
#
# Targets: onnx graph safetensors json tokenizer, see native/fuzz. Needs clang (Debian: apt install clang) and
# dist/ (npm run build:ts); CXX names another compiler. Findings are left in build/fuzz.
set -eu
targets=${1:?usage: fuzz.sh TARGET|all [SECONDS] [options]}
seconds=${2:-20}
shift; [ $# -eq 0 ] || shift
[ "$targets" != all ] || targets="onnx graph safetensors json tokenizer"
cd "$(dirname "$0")/.."
CXX=${CXX:-clang++}
if ! command -v "$CXX" >/dev/null; then
  echo "fuzz: $CXX is not installed (Debian: apt install clang)" >&2
  exit 77
fi
build=build/fuzz
mkdir -p "$build/corpus"
# Freed memory that AddressSanitizer keeps to itself counts, too.
export ASAN_OPTIONS="quarantine_size_mb=32:${ASAN_OPTIONS:-}"
node scripts/fuzz-seeds.mjs "$build/corpus"
cmake -S native -B "$build" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DGTEWAY_ADDON=OFF -DGTEWAY_FUZZ=ON -DGTEWAY_SANITIZE=fuzzer-no-link,address,undefined >/dev/null
for target in $targets; do cmake --build "$build" --target "gteway_${target}_fuzz" --parallel 2; done
for target in $targets; do
  dictionary=native/fuzz/$target.dict
  longest=4096
  [ "$target" != onnx ] && [ "$target" != safetensors ] || longest=65536
  "$build/gteway_${target}_fuzz" -max_total_time="$seconds" -max_len="$longest" -timeout=10 -rss_limit_mb=512 \
    -malloc_limit_mb=80 -artifact_prefix="$build/$target-" -print_final_stats=1 \
    $([ ! -f "$dictionary" ] || echo "-dict=$dictionary") "$@" "$build/corpus/$target"
done
