#!/usr/bin/env bash
# Installs the Debian packages that building, testing and using Spiketrain needs.  The one list of them.
# Usage: ./setup.sh [--dev] [--check]
#   --dev    also what the stages of tools/ci.sh use beside g++
#   --check  say what is missing, install nothing
set -euo pipefail

packages=(
  build-essential cmake ninja-build git ca-certificates pkg-config  # compiler and build
  ccache lld                                                        # faster rebuilds and links
  libtorch-dev libopenblas0-openmp                                  # LibTorch 1.13, with a fast BLAS
  libgloo-dev                                                       # headers for training in several processes
  libhwy-dev                                                        # SIMD
  zlib1g-dev libcurl4-openssl-dev libssl-dev                        # .gz, downloads, checksums
  liblz4-dev libzstd-dev libflatbuffers-dev libhdf5-dev             # event files
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  libgtest-dev libgmock-dev libbenchmark-dev                        # tests and benchmarks
  python3                                                           # tools/
  python3-dev python3-torch python3-pytest pybind11-dev             # Python package and its tests
)
developer_packages=(
  clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev libomp-14-dev
  gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm         # exported C on a Cortex-M3
  python3-onnx                                                      # exported ONNX
  iverilog verilator yosys nextpnr-ice40 fpga-icestorm              # exported SystemVerilog
  chromium                                                          # how pages of reports look
  python3-sphinx python3-myst-parser furo doxygen                   # the documentation as a site
)

check=0
for argument in "$@"; do
  case $argument in
    --dev) packages+=("${developer_packages[@]}") ;;
    --check) check=1 ;;
    *) echo "setup: expected --dev or --check, got '$argument'" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all packages are installed"
  exit 0
fi
if [ "$check" -eq 1 ]; then
  echo "setup: missing: ${missing[*]}"
  exit 1
fi

run=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    echo "setup: these packages are missing; as root, run:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  run=(sudo)
fi
echo "setup: installing ${missing[*]}"
"${run[@]}" apt-get update -qq
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
