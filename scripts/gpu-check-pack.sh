#!/usr/bin/env bash
# Puts what scripts/gpu-check.sh needs of this machine into .gpu, some 35 MB: for a GPU machine that has nvcc and Python, and
# neither Node.js nor a registry. Needs the addon and dist/ to be built, and the test data in ../shared.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -d ../shared/tools ] || { echo "no ../shared: the fixture's tools are not here"; exit 77; }
[ -f build/Release/gteway.node ] && [ -f dist/index.js ] || { echo 'run `npm run build:all` first'; exit 1; }
pack=.gpu
rm -rf "$pack/package"
mkdir -p "$pack/package/build/Release" "$pack/package/node_modules" "$pack/shared/models"

if [ ! -f "$pack/node.xz" ]; then
  cp "$(readlink -f "$(command -v node)")" "$pack/node"
  strip "$pack/node"
  xz -6 "$pack/node"
fi
cp -r dist types package.json "$pack/package/"
cp build/Release/gteway.node "$pack/package/build/Release/"
# Of the dependencies only what an embedding session loads: the server's would fill the whole parcel.
for name in node-gyp-build undici eventsource-parser ollama whatwg-fetch; do
  cp -rL "node_modules/$name" "$pack/package/node_modules/"
done
cp -rL ../shared/tools "$pack/shared/"
cp -rL ../shared/models/gte-small ../shared/models/gte-small-fixture "$pack/shared/models/"
cp -L ../shared/golden/gte_small_fixture_embeddings.jsonl "$pack/golden.jsonl"
node scripts/gpu-check-texts.mjs ../shared "$pack/texts.json"
# It must load by itself.
node -e "import(process.argv[1]).then(({ Session }) => Session.load)" "$PWD/$pack/package/dist/index.js"
chmod -R u+w "$pack"
du -sh "$pack"
