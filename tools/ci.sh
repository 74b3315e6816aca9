#!/usr/bin/env bash
# The stages of continuous integration, each runnable by hand.
# Usage: tools/ci.sh [STAGE ...]      without names: all
#   format    clang-format, order of layers
#   tests     ./test.sh: build with g++ and run the tests
#   install   the examples against an installed tree, public headers one by one, the source tree in another project
#   clang     build with clang, warnings are errors
#   sanitize  address and undefined-behaviour sanitizers over tests of kernels, engine, core and parsers (SANITIZE="equiv
#             engine unit grad property train" for all)
#   fuzz      every libFuzzer target for a few seconds (FUZZ_SECONDS, default 10), from tests/fuzz/corpus on
#   site      the documentation as a site, warnings are errors
#   tidy      clang-tidy on the files changed since CI_BASE (default: the commit before); each is compiled alone
# A stage whose tools are missing is skipped and says so.  Ends with the summary of the tests; exit code 1 if a stage
# failed.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
summary=() failed=0

skip() { echo "$1" >"$skipped"; return 77; }
have() { command -v "$1" >/dev/null; }

stage_format() {
  python3 tools/check_layers.py || return 1
  have clang-format-14 || skip "clang-format-14 is not installed" || return
  git ls-files '*.h' '*.cpp' | xargs clang-format-14 --dry-run -Werror
}

stage_tests() { ./test.sh | tee build/tests.log; return "${PIPESTATUS[0]}"; }

stage_install() {
  cmake --preset dev >/dev/null && cmake --build --preset dev || return 1
  ctest --preset dev --parallel "$jobs" -L install
}

stage_clang() {
  have clang++-14 || skip "clang++-14 is not installed" || return
  [ -e /usr/lib/llvm-14/lib/libomp.so ] || skip "libomp-14-dev is not installed" || return
  cmake --preset clang >/dev/null && cmake --build --preset clang
}

stage_sanitize() {
  local kinds=(${SANITIZE:-equiv engine unit}) kind
  cmake --preset asan >/dev/null && cmake --build --preset asan --target "${kinds[@]/#/test_}" || return 1
  # HDF5 asks for what a damaged file says, and lives with a refusal.  The program finds its commands by its run path, which
  # a dlopen() that the sanitizer has replaced does not see.
  local options=(ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
    "LD_LIBRARY_PATH=$PWD/build/asan/lib")
  # Not those that measure memory or start programs again and again.
  for kind in "${kinds[@]}"; do
    env "${options[@]}" "build/asan/bin/test_$kind" --gtest_brief=1 \
      --gtest_filter='-*Memory*:*Cli*:*Plugin*:*Runtime*:*Isa*:*Sweep*:*Signal*:*Limits*' || return 1
  done
}

stage_fuzz() {
  have clang++-14 || skip "clang++-14 is not installed" || return
  [ -e /usr/lib/llvm-14/lib/libomp.so ] || skip "libomp-14-dev is not installed" || return
  cmake --preset fuzz >/dev/null || return 1
  local target targets=()
  for target in tests/fuzz/fuzz_*.cpp; do targets+=("$(basename "$target" .cpp)"); done
  cmake --build --preset fuzz --target "${targets[@]}" || return 1
  for target in "${targets[@]}"; do
    local length=() corpus=build/fuzz/corpus/${target#fuzz_}  # grows from run to run
    case $target in
      fuzz_kernels) length=(-max_len=40 -len_control=0) ;;
      fuzz_cifar) length=(-max_len=6200 -len_control=0) ;;  # two records
    esac
    python3 tools/fuzz_corpus.py unpack "${target#fuzz_}" "$corpus" &&
      "build/fuzz/bin/$target" "$corpus" -max_total_time="${FUZZ_SECONDS:-10}" -print_final_stats=1 -verbosity=0 \
        -artifact_prefix=build/fuzz/ "${length[@]}" 2>&1 | tail -12 | sed "s/^/$target: /"
    [ "${PIPESTATUS[0]}" -eq 0 ] || return 1
  done
}

stage_site() {
  have doxygen && /usr/bin/python3 -c 'import sphinx, myst_parser, furo' 2>/dev/null ||
    skip "python3-sphinx, python3-myst-parser, furo or doxygen is not installed" || return
  tools/site.sh
}

stage_tidy() {
  have clang-tidy-14 || skip "clang-tidy-14 is not installed" || return
  local base=${CI_BASE:-HEAD~1} files
  git rev-parse -q --verify "$base^{commit}" >/dev/null || skip "no commit $base to compare with" || return
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- 'spiketrain/*.cpp' 'apps/*.cpp')
  [ ${#files[@]} -gt 0 ] || skip "no source changed since $base" || return
  local most=${TIDY_FILES:-20}
  [ ${#files[@]} -le "$most" ] || echo "tidy: the first $most of ${#files[@]} changed files (TIDY_FILES)"
  cmake -S . -B build/tidy -G Ninja -DST_UNITY=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DST_DEV=OFF \
    -DCMAKE_CXX_COMPILER_LAUNCHER=env >/dev/null || return 1
  cmake --build build/tidy --target st_revision >/dev/null || return 1
  printf '%s\n' "${files[@]:0:$most}" | xargs -P "$jobs" -n 1 clang-tidy-14 -p build/tidy --quiet \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument
}

mkdir -p build
skipped=$(mktemp)
trap 'rm -f "$skipped"' EXIT
stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(format tests install clang sanitize fuzz site tidy)
for stage in "${stages[@]}"; do
  declare -F "stage_$stage" >/dev/null || { echo "ci: no stage '$stage'; see the head of tools/ci.sh" >&2; exit 2; }
  echo "=== $stage"
  : >"$skipped"
  start=$SECONDS
  "stage_$stage"
  status=$?
  case $status in
    0) result=ok ;;
    77) result="skipped: $(cat "$skipped")" ;;
    *) result=FAILED failed=1 ;;
  esac
  summary+=("$(printf '%-9s %5d s  %s' "$stage" $((SECONDS - start)) "$result")")
done
echo "=== stages"
printf '%s\n' "${summary[@]}"
[[ " ${stages[*]} " != *" tests "* ]] || tail -n 1 build/tests.log
exit $failed
