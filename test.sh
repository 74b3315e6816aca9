#!/usr/bin/env bash
# Installs what is missing, builds and runs the tests.  Tests on real data run when SPIKETRAIN_DATA names a folder
# with mnist/, fashion-mnist/, ...; otherwise they report themselves as skipped.
# Usage: ./test.sh [ctest arguments]     without: all but the label install (`tools/ci.sh install`)
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh
cmake --preset dev >/dev/null
cmake --build --preset dev
[ $# -gt 0 ] || set -- -LE install
rm -rf build/dev/test-reports
status=0
ctest --preset dev --parallel "$(nproc)" --output-junit test-reports/ctest.xml "$@" || status=$?
python3 tools/test_summary.py build/dev
exit $status
