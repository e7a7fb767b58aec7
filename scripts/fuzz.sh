#!/bin/sh
# Fuzzes what reads files and texts of others, under AddressSanitizer and UndefinedBehaviorSanitizer with 512 MB.
#
#   scripts/fuzz.sh TARGET|all [SECONDS of each, default 20] [more libFuzzer options]
#
# Targets: onnx graph safetensors json tokenizer pipeline, see native/fuzz. Needs clang (Debian: apt install clang) and
# dist/ (npm run build:ts); CXX names another compiler. Findings are left in build/fuzz, and TARGET.log of each.
set -eu
targets=${1:?usage: fuzz.sh TARGET|all [SECONDS] [options]}
seconds=${2:-20}
shift; [ $# -eq 0 ] || shift
[ "$targets" != all ] || targets="onnx graph safetensors json tokenizer pipeline"
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
  -DGTEWAY_ADDON=OFF -DGTEWAY_FUZZ=ON -DGTEWAY_SANITIZE=address,undefined >/dev/null
# shellcheck disable=SC2046,SC2086 # a list of names
cmake --build "$build" --parallel 2 --target $(printf 'gteway_%s_fuzz ' $targets)

options=$*
# Runs the targets it is given, one after the other, and fails where one of them does.
fuzz() {
  failed=0
  for target; do
    dictionary=native/fuzz/$target.dict
    longest=4096
    [ "$target" != onnx ] && [ "$target" != safetensors ] || longest=65536
    status=0
    # A minute for one input: no bound of ours takes a second, and a busy machine finds nothing that a quiet one does not.
    # shellcheck disable=SC2086 # a list of options
    "$build/tests/gteway_${target}_fuzz" -max_total_time="$seconds" -max_len="$longest" -timeout=60 -rss_limit_mb=512 \
      -malloc_limit_mb=80 -artifact_prefix="$build/$target-" -print_final_stats=1 \
      $([ ! -f "$dictionary" ] || echo "-dict=$dictionary") $options "$build/corpus/$target" >"$build/$target.log" 2>&1 ||
      status=$?
    # Two targets at a time, so only when it has ended: the figures, or all that was said.
    echo "== $target: $([ "$status" = 0 ] && echo no finding || echo "exit status $status, $build/$target.log")"
    if [ "$status" = 0 ]; then grep '^stat::' "$build/$target.log"; else cat "$build/$target.log"; failed=1; fi
  done
  return "$failed"
}

# Each takes one processor.
one= two=
for target in $targets; do
  if [ ${#one} -le ${#two} ]; then one="$one $target"; else two="$two $target"; fi
done
# shellcheck disable=SC2086 # lists of names
{
  fuzz $one &
  first=$!
  failures=0
  fuzz $two || failures=1
  wait "$first" || failures=1
}
exit "$failures"
