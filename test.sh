#!/usr/bin/env bash
# Installs what is missing, builds and runs the tests.  Tests on real data run when SPIKETRAIN_DATA names a folder
# with mnist/, fashion-mnist/, ...; otherwise they report themselves as skipped.
# Usage: ./test.sh [ctest arguments]
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh
cmake --preset dev >/dev/null
cmake --build --preset dev
ctest --preset dev "$@"
