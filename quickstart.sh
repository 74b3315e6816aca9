#!/usr/bin/env bash
# From a fresh clone to a trained spiking network: install what is missing, build, train on built-in data.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh
cmake --preset release >/dev/null
cmake --build --preset release
out=runs/quickstart
[ -e "$out" ] && out=runs/quickstart-$(date +%Y%m%d-%H%M%S)
./build/release/bin/spiketrain train recipes/quickstart.toml --out "$out"
cat <<EOF

The trained network is in $out.  What next:
  ./build/release/bin/spiketrain eval $out            accuracy of the saved network
  ./build/release/bin/spiketrain inspect $out         its layers, shapes and costs
  ./build/release/bin/spiketrain list rules           the learning rules, and likewise neurons, objectives, ...
  ./build/release/bin/spiketrain data fetch mnist --data-dir data
  ./build/release/bin/spiketrain train recipes/mnist-cnn-tssl.toml --data-dir data --out runs/mnist
EOF
