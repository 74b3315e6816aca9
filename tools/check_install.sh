#!/usr/bin/env bash
# Installs a build into a temporary folder, moves it, and uses it there: the program, every example through CMake, one through
# pkg-config.  Usage: tools/check_install.sh BUILD_DIR
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: tools/check_install.sh BUILD_DIR" >&2; exit 2; }
build=$(cd "$1" && pwd)
examples=$(cd "$(dirname "$0")/../examples" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LD_LIBRARY_PATH

fail() { echo "check_install: $*" >&2; exit 1; }
# expect PATTERN FILE WHAT: a line of the file matches.
expect() { grep -Eq "$1" "$2" || { cat "$2" >&2; fail "$3: expected a line with '$1'"; }; }
# at_least ACCURACY FILE WHAT: the last accuracy that was printed.
at_least() {
  local last
  last=$(sed -n 's/.*test accuracy \([0-9.]*\).*/\1/p' "$2" | tail -n 1)
  awk -v got="${last:-0}" -v want="$1" 'BEGIN { exit !(got >= want) }' || fail "$3: accuracy '$last', expected at least $1"
  echo "$3: test accuracy $last"
}

cmake --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log" >&2; fail "cmake --install"; }
mv "$work/first" "$work/prefix"  # an installation can be moved
prefix=$work/prefix
spiketrain=$prefix/bin/spiketrain
"$spiketrain" --version >"$work/out"
expect '^spiketrain [0-9]+\.' "$work/out" "--version"
"$spiketrain" inspect "$prefix/share/spiketrain/recipes/quickstart.toml" >"$work/out"
expect '12C5-P2' "$work/out" "inspect"

for example in train_in_twenty_lines own_loop own_parts streaming; do
  {
    cmake -S "$examples/$example" -B "$work/$example" -DCMAKE_PREFIX_PATH="$prefix" ${CCACHE:+-DCMAKE_CXX_COMPILER_LAUNCHER=$CCACHE} &&
      cmake --build "$work/$example" --parallel 2
  } >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$example does not build"; }
done

"$work/train_in_twenty_lines/train_in_twenty_lines" 1000 2 >"$work/out"
at_least 0.4 "$work/out" train_in_twenty_lines
"$work/own_loop/own_loop" 1000 2 >"$work/out"
at_least 0.4 "$work/out" own_loop
"$work/streaming/streaming" 20 >"$work/out" || { cat "$work/out" >&2; fail "streaming differs from the whole sequence"; }
echo "streaming: $(sed -n 2p "$work/out")"

plugin=$(find "$work/own_parts" -name libmine.so)
"$spiketrain" train "$examples/own_parts/recipe.toml" --plugin "$plugin" --out "$work/run" --set epochs=2 >"$work/out"
expect 'rule my_instant, neuron my_adaptive, schedule whole, objective my_margin' "$work/out" own_parts
"$spiketrain" eval "$work/run" --json >"$work/out"  # the run knows its plugin
awk -v RS=, '/"accuracy"/ { sub(/.*:/, ""); exit !($0 >= 0.5) }' "$work/out" || { cat "$work/out" >&2; fail "own_parts does not learn"; }
echo "own_parts: $(grep -o '"accuracy":[0-9.]*' "$work/out")"

# Without CMake.  The program finds the library by its run path, as an own build would set it.
pc=$(dirname "$(find "$prefix" -name spiketrain.pc)")
export PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
# shellcheck disable=SC2046
${CCACHE:-} g++ $(pkg-config --cflags spiketrain) -c "$examples/train_in_twenty_lines/main.cpp" -o "$work/main.o" &&
  g++ "$work/main.o" $(pkg-config --libs spiketrain) -Wl,-rpath,"$(pkg-config --variable=libdir spiketrain)" -o "$work/plain" ||
  fail "the line of pkg-config does not build"
"$work/plain" 200 1 >"$work/out"
expect 'epoch 1 ' "$work/out" "pkg-config"
echo "pkg-config $(pkg-config --modversion spiketrain): builds and trains"
