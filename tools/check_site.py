#!/usr/bin/env python3
"""Pages of the site that are wider than a window of 400 pixels, so that one would scroll sideways to read a line.

Usage: tools/check_site.py FOLDER [WIDTH]
Headless Chromium shows every page in a frame of that width (a window is never narrower than 500).  Without Chromium nothing is checked.  Of the
C++ reference, which Doxygen writes, only the first page and two large ones are looked at.
"""
import html
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SCRIPT = """<script>addEventListener('load', () => {
  const wide = [];
  for (const frame of document.querySelectorAll('iframe')) {
    const page = frame.contentDocument, boxes = [page.documentElement, ...page.querySelectorAll('.content, div.contents')];
    const box = boxes.find(b => b.scrollWidth > b.clientWidth + 1);
    if (box) wide.push(frame.title + ' (' + box.scrollWidth + ' pixels)');
  }
  document.body.setAttribute('data-wide', wide.join('; ') || 'none');
});</script>"""


def too_wide(chromium, folder, pages, width):
    """What the browser says: "none", or the pages and how wide they are."""
    frames = "".join(f'<iframe style="width:{width}px;height:800px;border:0" title="{html.escape(str(p.relative_to(folder)))}" src="{p.as_uri()}"></iframe>'
                     for p in pages)
    with tempfile.TemporaryDirectory() as place:
        page = pathlib.Path(place) / "page.html"
        page.write_text(f"<!DOCTYPE html><body>{frames}{SCRIPT}</body>")
        run = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", f"--user-data-dir={place}/profile",
                              "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=300)
    found = re.search(r'data-wide="([^"]*)"', run.stdout)
    return html.unescape(found[1]) if found else f"no answer of {chromium}, exit code {run.returncode}: {run.stderr[-300:]}"


def main():
    folder, width = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 400
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        print("check_site: no chromium here; ./setup.sh --dev installs it")
        return 0
    pages = [p for p in sorted(folder.glob("**/*.html")) if "cpp" not in p.relative_to(folder).parts and p != folder / "index.html"]
    pages += [folder / "cpp" / name for name in ("index.html", "namespacespiketrain.html", "classspiketrain_1_1Network.html")]
    wide = too_wide(chromium, folder, [p for p in pages if p.exists()], width)
    if wide == "none":
        print(f"check_site: {len(pages)} pages fit into {width} pixels")
        return 0
    print(f"check_site: wider than {width} pixels: {wide}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
