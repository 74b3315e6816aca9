#!/usr/bin/env python3
"""Runs the commands of a page: every line of its ```sh blocks, one after the other in an empty folder that has recipes/ in it. What `spiketrain` says last is shown
of a command that fails.

usage: run_page.py PAGE --cli build/dev/bin/spiketrain"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--cli", type=pathlib.Path, required=True)
    options = parser.parse_args()
    commands = [line for block in re.findall(r"^```sh\n(.*?)^```", options.page.read_text(), re.S | re.M) for line in block.splitlines() if line.strip()]
    if not commands:
        print(f"{options.page}: there are no commands in ```sh blocks")
        return 1
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "recipes").symlink_to(ROOT / "recipes")
        path = f"{options.cli.resolve().parent}:{os.environ['PATH']}"
        for command in commands:
            result = subprocess.run(["bash", "-c", command], cwd=folder, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    text=True)
            if result.returncode != 0:
                failed += 1
                print(f"{command}\n  exit code {result.returncode}: " + "\n  ".join(result.stdout.splitlines()[-5:]))
    print(f"{options.page.name}: {len(commands)} commands, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
