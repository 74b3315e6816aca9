#!/usr/bin/env python3
"""Installs a build into a temporary folder and checks its headers: each compiles by itself against what is installed, and
includes none of ours that is not.  Usage: headers.py BUILD_DIR [--compiler C++]
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s+["<](spiketrain/[^">]+)[">]', re.MULTILINE)

TORCH = "spiketrain/ops/torch.h"


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def missing_includes(include, headers):
    for header in headers:
        for name in INCLUDE.findall(header.read_text("ascii")):
            if not (include / name).is_file():
                yield f"{header.relative_to(include)}: includes {name}, which is not installed"


def reached(include, header, seen):
    """Our headers that a header includes, itself among them."""
    if header not in seen:
        seen.add(header)
        for name in INCLUDE.findall(header.read_text("ascii")):
            reached(include, include / name, seen)
    return seen


def compile_alone(command, include, header, folder):
    """Error text, or ""."""
    name = str(header.relative_to(include))
    source = folder / (re.sub(r"\W", "_", name) + ".cpp")
    source.write_text(f'#include "{name}"\n#include "{name}"\n', "ascii")
    # Most include LibTorch, which costs seconds: they get what they include anyway already compiled.
    torch = ["-include", "torch.h"] if include / TORCH in reached(include, header, set()) else []
    result = run([*command, *torch, "-fsyntax-only", source.name], cwd=folder)
    return f"{name}: does not compile by itself\n{result.stderr[:2000]}" if result.returncode else ""


def compile_all(compiler, flags, include, headers, folder):
    """Error texts."""
    command = [compiler, *flags, "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]
    (folder / "torch.h").write_text(f'#include "{TORCH}"\n', "ascii")
    result = run([*command, "-x", "c++-header", "torch.h", "-o", "torch.h.gch"], cwd=folder)
    if result.returncode:
        return [f"{TORCH}: does not compile by itself\n{result.stderr[:2000]}"]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        tasks = [pool.submit(compile_alone, command, include, header, folder) for header in headers]
        return [task.result() for task in tasks if task.result()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--compiler", default="c++")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        installed = run(["cmake", "--install", arguments.build, "--prefix", folder / "prefix"])
        if installed.returncode:
            print(installed.stderr, file=sys.stderr)
            return 1
        include = folder / "prefix/include"
        headers = sorted(include.rglob("*.h"))
        config = next((folder / "prefix").rglob("spiketrain.pc")).parent
        flags = run(["pkg-config", "--cflags", "spiketrain"], env={**os.environ, "PKG_CONFIG_PATH": str(config)})
        found = list(missing_includes(include, headers))
        if not headers or flags.returncode:
            found.append(f"no headers are installed, or pkg-config fails: {flags.stderr}")
        if not found:  # what includes something missing does not compile anyway
            found = compile_all(arguments.compiler, shlex.split(flags.stdout), include, headers, folder)
        print("\n".join(found) or f"{len(headers)} headers compile by themselves")
        return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
