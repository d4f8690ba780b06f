#!/bin/bash
# Compiles our own CUDA kernels for each of their devices, with the pinned nvcc of cmake/nvcc.lock (105 MB to download,
# 300 MB on disk, once); no device is needed. Fails if a kernel spills registers. Call it in the environment of
# ./sfumato --env; the library is then build/cuda/lib/sfumato/libsfumato_cuda_kernels.so.
set -euo pipefail
cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."

venv=${XDG_CACHE_HOME:-$HOME/.cache}/sfumato/nvcc-$(sha256sum cmake/nvcc.lock | cut -c 1-16)
if [[ ! -f $venv/.complete ]]; then
  rm -rf -- "$venv"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/python" -I -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r cmake/nvcc.lock
  toolkit=$(echo "$venv"/lib/python3*/site-packages/nvidia/cu13)
  ln -s lib "$toolkit/lib64"  # where nvcc expects its libraries
  ln -s libcudart.so.13 "$toolkit/lib/libcudart.so"
  touch "$venv/.complete"
fi
toolkit=$(echo "$venv"/lib/python3*/site-packages/nvidia/cu13)

cmake -S . -B build/cuda -G Ninja -DCMAKE_BUILD_TYPE=Release -DSFUMATO_CORE_ONLY=ON -DSFUMATO_BUILD_TESTS=OFF \
  -DSFUMATO_CUDA_KERNELS=ON -DCMAKE_CUDA_COMPILER="$toolkit/bin/nvcc" \
  -DCMAKE_CUDA_FLAGS="-Werror all-warnings -Xptxas -warn-spills,-Werror" >/dev/null
cmake --build build/cuda --target sfumato_cuda_kernels
