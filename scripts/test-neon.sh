#!/bin/sh
# Compiles the kernels and their tests for 64-bit Arm and runs them on QEMU's user-mode emulator, so that NEON is tested
# without Arm hardware. As root, --install gets what is missing from Debian's packages.
set -eu
cd "$(dirname "$0")/.."

packages=
command -v aarch64-linux-gnu-g++ >/dev/null || packages="$packages g++-aarch64-linux-gnu"
command -v qemu-aarch64-static >/dev/null || packages="$packages qemu-user-static"
command -v cmake >/dev/null || packages="$packages cmake"
if [ -n "$packages" ] && [ "${1:-}" = --install ]; then
  # shellcheck disable=SC2086 # a list of names
  apt-get update -qq && apt-get install -y --no-install-recommends $packages
elif [ -n "$packages" ]; then
  echo "test-neon: missing Debian packages:$packages" >&2
  echo "test-neon: install them, or run this as root with --install" >&2
  exit 77
fi

build=build/neon
mkdir -p "$build"
# Static: the emulator then needs no Arm system around the program.
cmake -S native -B "$build" -DGTEWAY_ADDON=OFF -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static >"$build/configure.log" 2>&1 ||
  { cat "$build/configure.log" >&2; exit 1; }
cmake --build "$build" --target gteway_kernel_tests --parallel 2
tests="$build/tests/gteway_kernel_tests"
qemu-aarch64-static "$tests" --list | grep -q '\[neon\]' || { echo "test-neon: no NEON test was built" >&2; exit 1; }
# Two processes share them; one whose tests are all skipped says 77.
qemu-aarch64-static "$tests" --list | tr '\n' '\0' |
  xargs -0 -n 40 -P 2 sh -c '"$0" "$@" || [ $? = 77 ]' qemu-aarch64-static "$tests"
