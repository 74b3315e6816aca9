#!/usr/bin/env python3
"""Checks that includes follow the layers, that sources are ASCII and that files are not too long.

base <- kernels <- ops <- core <- {parts/*, data, parallel} <- engine <- {train, cost} <- recipe <- {nir, deploy} <- report <- {apps, tests, bench}
A file may include only its own folder and what is to its left.  The folders below parts/ do not include each other, and
nothing but tests and bench includes them: parts are made by name.  engine knows neither parts nor data; torch
first appears in ops.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORE = {"base", "kernels", "ops"}
BELOW = {"base": set(), "kernels": {"base"}, "ops": {"base", "kernels"}, "core": CORE}
BELOW["parts"] = BELOW["data"] = BELOW["engine"] = BELOW["parallel"] = CORE | {"core"}
BELOW["train"] = BELOW["cost"] = BELOW["engine"] | {"data", "engine"}
BELOW["recipe"] = BELOW["train"] | {"train", "cost"}
BELOW["nir"] = BELOW["deploy"] = BELOW["recipe"] | {"recipe"}
BELOW["report"] = BELOW["recipe"] | {"recipe", "nir", "deploy"}
MAX_LINES = {"-inl.h": 600}
INCLUDE = re.compile(r'\s*#\s*include\s+["<](?:spiketrain/([a-z0-9_]+)/(?:([a-z0-9_]+)/)?|(torch|ATen|c10)/)')


def form_problems(path, lines):
    if any(byte > 127 for byte in path.read_bytes()):
        yield f"{path.relative_to(ROOT)}: not ASCII"
    limit = next((n for suffix, n in MAX_LINES.items() if path.name.endswith(suffix)), 400)
    if len(lines) > limit:
        yield f"{path.relative_to(ROOT)}: {len(lines)} lines, at most {limit}"


def include_problems(path, lines):
    name = path.relative_to(ROOT)
    if len(name.parts) == 2:  # spiketrain/spiketrain.h, which gathers headers for users
        return
    _, room, *rest = name.parts  # spiketrain/parts/neurons/lif.cpp
    inner = rest[0] if room == "parts" else None
    if room not in BELOW:
        yield f"{name}: no room is called {room}"
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target, folder, torch = match.groups()
        if torch and room in ("base", "kernels"):
            yield f"{name}:{number}: {room} must not include torch"
        if target and target != room and target not in BELOW[room]:
            yield f"{name}:{number}: {room} must not include {target}"
        if target == room == "parts" and folder != inner:
            yield f"{name}:{number}: parts/{inner} must not include parts/{folder}"


def sources(folder):
    return sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in (".h", ".cpp"))


def problems(path, layered):
    lines = path.read_text("latin-1").splitlines()
    yield from form_problems(path, lines)
    if layered:
        yield from include_problems(path, lines)


def main():
    library = sources("spiketrain")
    others = [path for folder in ("apps", "tests", "bench", "examples") for path in sources(folder)]
    found = [p for path in library for p in problems(path, True)]
    found += [p for path in others for p in problems(path, False)]
    print("\n".join(found) or f"{len(library)} files follow the layers")
    return 1 if found or not library else 0


if __name__ == "__main__":
    sys.exit(main())
