#!/bin/sh
# Runs the kernel tests on emulated x86 processors that lack what this machine may have: an instruction that leaked out
# of its folder is a crash here. QEMU's user-mode emulator is Debian's package qemu-user-static.
set -eu
cd "$(dirname "$0")/.."

command -v qemu-x86_64-static >/dev/null || {
  echo "test-old-cpus: missing Debian package: qemu-user-static" >&2
  exit 77
}
[ "$(uname -m)" = x86_64 ] || { echo "test-old-cpus: compiles with this machine's own compiler, which is not x86-64" >&2; exit 77; }

# In the directory of the addon, whose kernels these are.
node_modules/.bin/cmake-js compile -d native -O build -T gteway_kernel_tests
tests=build/tests/gteway_kernel_tests

# Left out: the comparison with /proc/cpuinfo, which shows the host's processor inside the emulator.
run() {
  echo "== $1: best set expected is $2"
  "$tests" --list | grep -v /proc/cpuinfo | grep "${4:-.}" | tr '\n' '\0' |
    GTEWAY_FORCE_ISA="$3" xargs -0 -n 40 -P 2 sh -c '"$0" "$@" || [ $? = 77 ]' qemu-x86_64-static -cpu "$1" "$tests"
}
run Nehalem scalar ''
run Haswell avx2 ''
# Naming the set makes the run fail where the emulated processor's features were not recognised; the kernels themselves
# were run above.
run Nehalem scalar scalar 'active set'
run Haswell avx2 avx2 'active set'
