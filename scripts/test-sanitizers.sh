#!/bin/sh
# Builds the native tests with sanitizers and runs them: all under address,undefined; under thread those that use threads.
#
#   scripts/test-sanitizers.sh [address,undefined | thread]   the default is address,undefined
#
# Two processes share the tests, since each test is by itself.
set -eu
cd "$(dirname "$0")/.."

sanitizers=${1:-address,undefined}
build=build/$(echo "$sanitizers" | tr , -)
mkdir -p "$build"
cmake -S native -B "$build" -DGTEWAY_ADDON=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DGTEWAY_SANITIZE="$sanitizers" >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; exit 1; }
cmake --build "$build" --target gteway_tests --parallel 2

# One reported error is a failure, wherever it is; leaks count.
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# Reads names of tests. A process whose tests are all skipped, for want of an instruction set, says 77.
run() {
  tr '\n' '\0' | xargs -0 -n 16 -P 2 sh -c '"$0" "$@" || [ $? = 77 ]' "$build/tests/gteway_tests"
}

case $sanitizers in
  *thread*)
    # On one thread there is no race to find, and these take minutes to find none. One precision of the encoder's random
    # shapes stands for all: the threads are the same.
    single='^(encoder kernels|kernels|onnx encoder|safetensors( encoder)?|json|protobuf|tensor|hostile models|external data): '
    single="$single|^cuda (attention|gemm|layout|number|plan|rows): "
    single="$single|^encoder: every row is the reference's, for any shape \\[(bf16|int8)\\]"
    single="$single|^encoder forms: .*\\[(bf16|int8)\\]|^families: "
    single="$single|^tokenizer: (random configurations|a text of megabytes|portions give|BPE merges|Unigram takes)"
    "$build/tests/gteway_tests" --list | grep -vE "$single" | run
    ;;
  *)
    # The longest first, so that one process does not finish it alone.
    "$build/tests/gteway_tests" --list >"$build/tests.txt"
    { grep '^tokenizer: random' "$build/tests.txt"; grep -v '^tokenizer: random' "$build/tests.txt"; } | run
    ;;
esac
