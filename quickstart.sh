#!/usr/bin/env bash
# From a fresh clone to a trained spiking network: install what is missing, build, train on built-in data.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh
# The build folder of test.sh, so that what is compiled here need not be compiled again there.
cmake --preset dev >/dev/null
cmake --build --preset dev --target st_cli
out=runs/quickstart
[ -e "$out" ] && out=runs/quickstart-$(date +%Y%m%d-%H%M%S)
./build/dev/bin/spiketrain train recipes/quickstart.toml --out "$out"
cat <<EOF

The trained network is in $out.  What next:
  ./build/dev/bin/spiketrain eval $out            accuracy of the saved network
  ./build/dev/bin/spiketrain inspect $out         its layers, shapes and costs
  ./build/dev/bin/spiketrain list rules           the learning rules, and likewise neurons, objectives, ...
  ./build/dev/bin/spiketrain data fetch mnist --data-dir data
  ./build/dev/bin/spiketrain train recipes/mnist-cnn-tssl.toml --data-dir data --out runs/mnist
EOF
