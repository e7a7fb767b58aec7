#!/usr/bin/env bash
# Builds, checks and times the CUDA encoder on a machine with an NVIDIA GPU, in some minutes. Each part stands alone: one
# that fails is noted, and the others still run.
#
#   scripts/gpu-check.sh [part…]     parts, in their order: machine build tests bench reference js sanitize summary
#
# Results go to $OUT (build/gpu-check where it is unset): eight files. Needs nvcc; the parts reference and summary a python3 (reference
# with torch and sentence-transformers), js what scripts/gpu-check-pack.sh put into .gpu: a Node.js, the addon, the fixture's
# tools and texts. It changes no setting of the GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-build/gpu-check}
work=${GPU_CHECK_WORK:-/tmp/gteway-gpu-check}
pack=.gpu
mkdir -p "$out" "$work"
export PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin" PYTHONUNBUFFERED=1
parts=${*:-machine build tests bench reference js sanitize summary}
started=$SECONDS

note() { printf '[%3d s] %s\n' $((SECONDS - started)) "$*"; }

machine() {
  {
    date -u
    nvidia-smi
    nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total,clocks.sm,clocks.max.sm,power.limit --format=csv
    nvcc --version
    lscpu | grep -E 'Model name|^CPU\(s\)'
  } >"$out/machine.txt" 2>&1
  grep -m1 'NVIDIA' "$out/machine.txt"
}

# All at once: each is one nvcc of one core.
build() {
  local capability flags status=0
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .) || return 1
  [ "$capability" = 90 ] && capability=90a
  flags=(-std=c++20 -fmad=false --expt-relaxed-constexpr "-gencode=arch=compute_$capability,code=sm_$capability" -I native/src)
  mkdir -p build/Release "$work/objects"
  local pids=()
  node_or_python_build "$capability" >"$work/library.log" 2>&1 &
  pids+=($!)
  nvcc "${flags[@]}" -O3 -lineinfo native/bench/cuda.cu -o "$work/bench" >"$work/bench.log" 2>&1 &
  pids+=($!)
  for source in native/tests/engine/cuda/{gemm,attention,rows,library}_test.cpp native/tests/main.cpp \
    native/src/engine/cuda/device/library.cu; do
    nvcc "${flags[@]}" -O2 -lineinfo -I native/tests -x cu -c "$source" -o "$work/objects/$(basename "$source").o" \
      >"$work/$(basename "$source").log" 2>&1 &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || status=1; done
  nvcc "${flags[@]}" "$work"/objects/*.o -o "$work/tests" >"$work/link.log" 2>&1 || status=1
  cat "$work"/*.log >>"$out/machine.txt"
  return $status
}

# The same command as scripts/build-cuda.mjs gives, where there is no Node.js.
node_or_python_build() {
  if command -v node >/dev/null; then
    node scripts/build-cuda.mjs --arch "$1"
  else
    nvcc -std=c++20 -O3 -fmad=false --expt-relaxed-constexpr "-gencode=arch=compute_$1,code=sm_$1" -I native/src \
      -Xcompiler -fPIC,-fvisibility=hidden -cudart static -shared \
      -Xlinker --version-script=native/src/engine/cuda/device/exports.map,-z,nodelete \
      -o build/Release/libgteway_cuda.so native/src/engine/cuda/device/library.cu
  fi
}

tests() {
  timeout 60 "$work/tests" >"$out/tests.txt" 2>&1
  local status=$?
  grep -v '^ok' "$out/tests.txt"
  return $status
}

bench() {
  timeout 120 "$work/bench" >"$out/bench.jsonl" 2>&1
  local status=$?
  grep -E '"(failure|batch|latency)"' "$out/bench.jsonl"
  return $status
}

# The fixture model, made where it is needed: its 130 MB do not travel.
fixture() {
  [ -f "$work/gte/model.safetensors" ] && return 0
  local node
  node=$(find_node) || return 1
  "$node" "$pack/shared/tools/make-gte-fixture.mjs" "$work/gte" model.safetensors onnx/model.onnx >"$work/fixture.log" 2>&1
}

find_node() {
  if [ ! -x "$work/node" ]; then
    if [ -f "$pack/node.xz" ]; then
      python3 -c "import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], 'wb'))" \
        "$pack/node.xz" "$work/node" && chmod +x "$work/node"
    else
      ln -sf "$(command -v node)" "$work/node"
    fi
  fi
  "$work/node" --version >/dev/null && echo "$work/node"
}

reference() {
  fixture || echo 'no fixture model: random weights of the same shape instead'
  timeout 100 python3 scripts/gpu-check.py reference "$work/gte" "$pack/texts.json" >"$out/reference.jsonl" 2>"$work/reference.log"
  local status=$?
  [ $status = 0 ] || tail -5 "$work/reference.log"
  return $status
}

js() {
  local node
  node=$(find_node) || { echo 'no Node.js: run scripts/gpu-check-pack.sh before'; return 1; }
  fixture || { tail -3 "$work/fixture.log"; return 1; }
  # The package, put together: what was packed, and the library that was built here.
  mkdir -p "$work/package/build/Release"
  cp -r "$pack"/package/. "$work/package/" && cp build/Release/libgteway_cuda.so "$work/package/build/Release/" || return 1
  timeout 90 "$node" scripts/gpu-check.mjs "$work/package" "$work/gte" "$pack" >"$out/js.jsonl" 2>"$work/js.log"
  local status=$?
  [ $status = 0 ] || tail -5 "$work/js.log"
  return $status
}

# Small tests: under these tools a kernel takes a hundred times as long.
sanitize() {
  command -v compute-sanitizer >/dev/null || { echo 'no compute-sanitizer'; return 77; }
  local status=0
  : >"$out/sanitizer.txt"
  for tool in memcheck racecheck initcheck; do
    {
      echo "== $tool"
      timeout 30 compute-sanitizer --tool "$tool" --error-exitcode 9 "$work/tests" \
        'cuda gemm: large tile, GELU (erf), fp16, two tiles across' 'cuda gemm: small tile, residual, fp16, one row' \
        'cuda attention: a number of heads that does not fill blocks, fp16' \
        'cuda rows: mean, first and every row, 384 columns' \
        'cuda library: the encoder against float64, fp16, heads of 64, GELU by tanh'
    } >>"$out/sanitizer.txt" 2>&1 || { status=1; echo "$tool: exit status $?"; }
  done
  grep -E '^== |ERROR SUMMARY|RACECHECK SUMMARY' "$out/sanitizer.txt"
  return $status
}

summary() { python3 scripts/gpu-check.py summary "$out" | tee "$out/summary.txt"; }

failed=0
for part in $parts; do
  note "$part"
  "$part"
  status=$?
  [ $status = 0 ] || { note "$part: exit status $status"; failed=1; }
done
note "done"
exit $failed
