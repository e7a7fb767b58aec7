#!/bin/sh
# Builds the native tests with sanitizers and runs them all.
#
#   scripts/test-sanitizers.sh [address,undefined | thread]   the default is address,undefined
set -eu
cd "$(dirname "$0")/.."

sanitizers=${1:-address,undefined}
build=build/$(echo "$sanitizers" | tr , -)
mkdir -p "$build"
cmake -S native -B "$build" -DGTEWAY_ADDON=OFF -DGTEWAY_TESTS=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DGTEWAY_SANITIZE="$sanitizers" >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; exit 1; }
cmake --build "$build" --target gteway_tests --parallel 2

# One reported error is a failure, wherever it is; leaks count.
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
"$build/gteway_tests"
