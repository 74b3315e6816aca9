#!/usr/bin/env bash
# Spiketrain against PyPI's current torch and the peers there: makes a virtual environment, installs the package, runs its tests,
# builds the library's own tests against the same LibTorch and runs them, prints versions for docs/compatibility.md.
# Some gigabytes and an hour; needs the network.
# Usage: tools/pypi_check.sh [FOLDER]     (default build/pypi; what is there is used again)
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-build/pypi}
python=${PYTHON:-/usr/bin/python3}
peers=(nir nirtorch snntorch norse spikingjelly sinabs tonic neurobench tensorboard onnx onnxruntime snn-mlir mypy)

[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
folder=$(cd "$folder" && pwd)
bin=$folder/bin
"$bin/pip" install -q --upgrade pip
"$bin/pip" install -q torch numpy pytest scikit-build-core
torch=$("$bin/python" -c 'import torch; print(torch.__version__.split("+")[0])')
missing=()
for peer in "${peers[@]}"; do  # one at a time: one that cannot be installed is no reason to leave out the others
  "$bin/pip" install -q "$peer" "torch==$torch" >"$folder/$peer.log" 2>&1 || missing+=("$peer")
done
PATH="$bin:$PATH" "$bin/pip" install -v --no-build-isolation --force-reinstall --no-deps . \
  -Cbuild-dir="$folder/build" >"$folder/build.log" 2>&1 || { tail -40 "$folder/build.log"; exit 1; }
cmake -S . -B "$folder/library" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DST_DEV=ON \
  -DCMAKE_PREFIX_PATH="$("$bin/python" -c 'import torch; print(torch.utils.cmake_prefix_path)')" >"$folder/library.log" 2>&1
cmake --build "$folder/library" >>"$folder/library.log" 2>&1 || { tail -40 "$folder/library.log"; exit 1; }
status=0
(cd python/tests && SPIKETRAIN_CLI="$folder/library/bin/spiketrain" "$bin/python" -m pytest -q -rs -p no:cacheprovider .) || status=$?
ctest --test-dir "$folder/library" --parallel "$(nproc)" -LE install --output-on-failure -Q -O "$folder/ctest.log" || status=$?
tail -30 "$folder/ctest.log"
echo
echo "| package | version |"
echo "|---|---|"
"$bin/pip" list --format=freeze | grep -iE "^(torch|numpy|$(IFS='|'; echo "${peers[*]}"))==" | sed 's/\(.*\)==\(.*\)/| \1 | \2 |/'
[ ${#missing[@]} -eq 0 ] || echo "could not be installed: ${missing[*]}"
exit $status
