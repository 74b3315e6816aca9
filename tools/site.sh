#!/usr/bin/env bash
# The documentation as a site: pages, Python reference, C++ reference, in build/site.  Warnings are errors.
# Needs a build (`./test.sh` or the preset dev) and Debian's python3-sphinx python3-myst-parser furo doxygen (`./setup.sh --dev`).
# With chromium, no page may be wider than a window of 400 pixels.
# Usage: tools/site.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-build/site}
export PYTHONPATH=build/dev/python
[ -e build/dev/python/spiketrain/__init__.py ] || { echo "site: build/dev/python is not there; expected a build: cmake --preset dev && cmake --build --preset dev" >&2; exit 2; }
mkdir -p "$folder"
/usr/bin/python3 -m sphinx -q -W --keep-going -j auto -d "$folder/.doctrees" -c docs/site . "$folder"
headers=$(sed -n '/set(/,/)/p' cmake/PublicHeaders.cmake | grep -oE '[a-z_0-9/]+\.h' | sed 's,^,spiketrain/,' | tr '\n' ' ')
doxygen -q - <<END
PROJECT_NAME = Spiketrain
PROJECT_BRIEF = "C++ reference"
INPUT = docs/site/cpp.dox $headers
OUTPUT_DIRECTORY = $folder
HTML_OUTPUT = cpp
HTML_EXTRA_STYLESHEET = docs/site/cpp.css
GENERATE_LATEX = NO
STRIP_FROM_PATH = .
MARKDOWN_SUPPORT = NO
EXTRACT_ALL = YES
FILTER_PATTERNS = "*.h=sed -E -f docs/site/doxygen_filter.sed"
HIDE_UNDOC_RELATIONS = YES
QUIET = YES
WARN_AS_ERROR = FAIL_ON_WARNINGS
WARN_IF_UNDOCUMENTED = NO
END
echo '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=docs/README.html"><title>Spiketrain</title><a href="docs/README.html">Documentation</a>' > "$folder/index.html"
python3 tools/check_site.py "$folder"
echo "site: $folder/docs/README.html"
