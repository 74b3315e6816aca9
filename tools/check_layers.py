#!/usr/bin/env python3
"""Checks that includes follow the layers, that sources are ASCII, that files are not too long and that files can be compiled together.

base <- kernels <- ops <- core <- {parts/*, data, parallel} <- engine <- {train, cost} <- recipe <- {nir, deploy} <- report <- {apps, tests, bench}
A file may include only its own folder and what is to its left.  The folders below parts/ do not include each other, and
nothing but tests and bench includes them: parts are made by name.  engine knows neither parts nor data; torch
first appears in ops.

Files of a library are compiled several at a time, in groups that change with every new file: so what an unnamed namespace calls a type or a
variable, no other file of the library may call anything.  Functions may share a name, as overloads, but not that of a function in a header,
which they would hide from the other files.
"""
import collections
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


TYPE = re.compile(r"(?:struct|class|enum class|enum|using)\s+(\w+)\b(?!.*;\s*$)|using (\w+) =")
NEITHER = re.compile(r"(template|using|namespace|struct|class|#|//|\}|\s|typedef|enum|friend|$)")
OTHER = re.compile(r"[\w:<>,&*\s\[\]]*?[\s&*](\w+)(\(|\{| =|\[|;)")


def unnamed(path):
    """(namespace around it, name, kind, line) of what a file has in unnamed namespaces, as far as one line tells."""
    inside, around = False, ""
    for line in path.read_text("latin-1").splitlines():
        if line.startswith("namespace ") and line != "namespace {":
            around = line.split()[1]
        inside = (inside or line == "namespace {") and not line.startswith("}  // namespace")
        match = TYPE.match(line) if inside else None
        if match:
            yield around, match[1] or match[2], "type", line
        match = None if NEITHER.match(line) or not inside else OTHER.match(line)
        if match:
            yield around, match[1], "function" if match[2] == "(" else "variable", line


def declared(library):
    """Names of functions in headers -> the header, by namespace, as far as one line tells."""
    names = {}
    for path in library:
        around = ""
        if path.suffix == ".h" and path.relative_to(ROOT).parts[1] != "kernels":
            for line in path.read_text("latin-1").splitlines():
                around = line.split()[1] if line.startswith("namespace ") else around
                match = None if NEITHER.match(line) else OTHER.match(line)
                if match and match[2] == "(":
                    names[around, match[1]] = path
    return names


def clashes(library):
    """In the libraries that are compiled so: base, report, and all others but the kernels."""
    found, functions = collections.defaultdict(list), declared(library)
    for path in library:
        room = path.relative_to(ROOT).parts[1]
        if path.suffix == ".cpp" and room != "kernels":
            for around, name, kind, line in unnamed(path):
                header = functions.get((around, name))
                if header and (room == "report" or header.relative_to(ROOT).parts[1] != "report"):
                    yield f"{path.relative_to(ROOT)}: {name}() in the unnamed namespace hides that of {header.relative_to(ROOT)}"
                found[room if room in ("base", "report") else "", around, name].append((path, kind, line.split("//")[0].strip()))
    for (_, _, name), uses in found.items():
        files = {path: line for path, kind, line in uses}
        if len(files) > 1 and len(set(files.values())) > 1 and any(kind != "function" for _, kind, _ in uses):
            yield f"{name}: in the unnamed namespaces of " + ", ".join(sorted(str(path.relative_to(ROOT)) for path in files))


def main():
    library = sources("spiketrain")
    others = [path for folder in ("apps", "tests", "bench", "examples") for path in sources(folder)]
    found = [p for path in library for p in problems(path, True)]
    found += [p for path in others for p in problems(path, False)]
    found += clashes(library)
    print("\n".join(found) or f"{len(library)} files follow the layers")
    return 1 if found or not library else 0


if __name__ == "__main__":
    sys.exit(main())
