#!/bin/bash
# Builds the core where there is LibTorch (a Python with torch), nvcc, CMake, ninja and nlohmann_json's header and nothing
# else, with our own CUDA kernels for the device that is there, runs its tests and benches, and trains a recipe in chunks
# of a few minutes, each of which resumes the last.
#
#   bench/on_gpu.sh build            # into build/core
#   bench/on_gpu.sh test             # the core's tests; those named OnCuda are not skipped where there is a device
#   bench/on_gpu.sh sanitize         # compute-sanitizer over our own kernels
#   bench/on_gpu.sh bench JSON SECONDS [gpu_peers.py's options]    # goes on with JSON where it was stopped
#   bench/on_gpu.sh train RECIPE RUN SECONDS [train's options]     # stops with a checkpoint after SECONDS
#   bench/on_gpu.sh export RUN FOLDER
#
# The recipe's pack, VAE and tokenizer must be there: compose needs Debian's pictures, so bring the packed file along.
# JSON_SOURCE is a folder with nlohmann/json.hpp (/usr/include), GTEST_SOURCE one with GoogleTest's sources; without it
# the tests are left out. PYTHON is the Python with torch (python3).
set -euo pipefail
cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."

build=${BUILD:-build/core}

build_core() {
  local torch options=()
  torch=$("${PYTHON:-python3}" -c 'import torch; print(torch.__path__[0])')
  [[ -n ${GTEST_SOURCE:-} ]] && options+=("-DSFUMATO_GTEST_SOURCE=$GTEST_SOURCE") || options+=(-DSFUMATO_BUILD_TESTS=OFF)
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSFUMATO_CORE_ONLY=ON -DCMAKE_PREFIX_PATH="$torch" \
    -DSFUMATO_JSON_SOURCE="${JSON_SOURCE:-/usr/include}" -DSFUMATO_CUDA_KERNELS=ON \
    -DCMAKE_CUDA_ARCHITECTURES=native "${options[@]}"
  cmake --build "$build" --parallel "${JOBS:-$(nproc)}"
  [[ -z ${GTEST_SOURCE:-} ]] || cmake --build "$build" --target bench_networks --parallel "${JOBS:-$(nproc)}"
}

sanitize() {
  local tool
  for tool in memcheck racecheck; do
    compute-sanitizer --tool "$tool" --error-exitcode 1 "$build/tests/test_kernels" --gtest_filter='*CudaKernelsOn*'
  done
}

# Ends with status 0 where the time is up, too: each finished piece of work is in the file.
bench() {
  local json=$1 seconds=$2 status=0
  shift 2
  timeout "$seconds" "${PYTHON:-python3}" bench/gpu_peers.py --binary "$build/tests/bench_networks" --json "$json" "$@" ||
    status=$?
  [[ $status == 0 || $status == 124 ]] || return "$status"
}

# Resumes the run in folder $2 where it is begun. Ends with status 0 where the time is up or the recipe's steps are done.
train_chunk() {
  local recipe=$1 run=$2 seconds=$3 resume=() status=0
  shift 3
  [[ ! -e $run/recipe.json ]] || resume=(--resume)
  timeout --signal=INT --kill-after=60 "$seconds" \
    "$build/tools/train" "$recipe" --out "$run" "${resume[@]}" "$@" || status=$?
  [[ $status == 0 || $status == 124 || $status == 130 ]] || return "$status"
  tail -n 1 "$run/log.jsonl"
}

case ${1:-} in
  build) build_core ;;
  test) ctest --test-dir "$build" --output-on-failure --no-tests=error ;;
  sanitize) sanitize ;;
  bench) shift; bench "$@" ;;
  train) shift; train_chunk "$@" ;;
  export) "$build/tools/train" --export "$2" "$3" --max-shard-size 16MiB ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
