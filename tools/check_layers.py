#!/usr/bin/env python3
"""Checks that includes follow the layers, that sources are ASCII and that files are not too long.

base <- kernels <- core <- {synapses neurons rules schedules objectives networks encoders data} <- train <- apps
A file may include only its own folder and what is to its left; torch first appears in core.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEAVES = "synapses neurons rules schedules objectives networks encoders data".split()
BELOW = {"base": set(), "kernels": {"base"}, "core": {"base", "kernels"}}
BELOW.update({leaf: {"base", "kernels", "core"} for leaf in LEAVES})
BELOW["train"] = {"base", "kernels", "core", *LEAVES}
MAX_LINES = {"-inl.h": 600}


def problems(path):
    folder = path.relative_to(ROOT / "spiketrain").parts[0]
    text = path.read_bytes()
    name = path.relative_to(ROOT)
    if any(byte > 127 for byte in text):
        yield f"{name}: not ASCII"
    lines = text.decode("ascii", "replace").splitlines()
    limit = next((n for suffix, n in MAX_LINES.items() if path.name.endswith(suffix)), 400)
    if len(lines) > limit:
        yield f"{name}: {len(lines)} lines, at most {limit}"
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s+["<](?:spiketrain/([a-z]+)/|(torch|ATen|c10)/)', line)
        if not match:
            continue
        target, torch = match.groups()
        if torch and folder in ("base", "kernels"):
            yield f"{name}:{number}: {folder} must not include torch"
        if target and target != folder and target not in BELOW.get(folder, set()):
            yield f"{name}:{number}: {folder} must not include {target}"


def main():
    files = sorted(p for p in (ROOT / "spiketrain").rglob("*") if p.suffix in (".h", ".cpp"))
    found = [problem for path in files for problem in problems(path)]
    print("\n".join(found) or f"{len(files)} files follow the layers")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
