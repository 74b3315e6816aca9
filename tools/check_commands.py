#!/usr/bin/env python3
"""Every `spiketrain` command that a page shows has to be one that the program takes.

Usage: check_commands.py --cli build/dev/bin/spiketrain
Looked at in README.md, CONTRIBUTING.md and docs/: commands in code blocks, indented lines and between backquotes. A command has to exist, its options have to be in
its help, recipes have to be there; what `--set` changes in one has to make a network (`spiketrain inspect`), unless a placeholder or a shell variable stands in it. Exit
code 1 and one line for each that is not so. The commands of docs/how-to.md are run, too (run_page.py).
"""
import argparse
import concurrent.futures
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = re.compile(r"(?:^|[\s(`$])(?:\$?spiketrain|\./build/\w+/bin/spiketrain|build/\w+/bin/spiketrain)((?: +[^\s`]+)+)")
PLACEHOLDER = re.compile(r"\$|\.\.\.|…|(?<![\w.])[A-Z]{1,6}(?![\w.])")
WITH_RECIPE = {"train", "sweep", "gradcheck", "inspect"}


def shown(path):
    """Commands of a page as lists of words."""
    text = re.sub(r"\\\n\s*", "", path.read_text())
    text = re.sub(r"```(?:cpp|c\+\+|cmake|python|toml|json|c)\n.*?```", "", text, flags=re.S)
    for line in text.splitlines():
        if "find_package(" in line or "import spiketrain" in line:
            continue
        parts = re.findall(r"`([^`]*)`", line) if "`" in line else [line] if line.startswith("    ") or line.startswith(("spiketrain", "$spiketrain", "./build")) else []
        for part in parts:
            for match in COMMAND.finditer(part):
                words = re.split(r" #|;|\||&&| {3,}|>(?= )", match.group(1))[0]
                try:
                    yield shlex.split(words)
                except ValueError:
                    yield words.split()


class Program:
    def __init__(self, cli):
        self.cli, self.helps = str(cli), {}

    def run(self, *words):
        return subprocess.run([self.cli, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)

    def options(self, command):
        """Names of a command's options; None: there is no such command."""
        if command not in self.helps:
            result = self.run(*command, "--help")
            first = result.stdout.split("Usage:")[-1].split("\n")[0]
            known = result.returncode == 0 and " ".join(("spiketrain", *command)) in first
            self.helps[command] = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", result.stdout)) if known else None
        return self.helps[command]

    def command_of(self, words):
        """("export", "c") of ["export", "c", "RUN", "--out", "DIR"]."""
        command = (words[0],)
        if len(words) > 1 and re.fullmatch(r"[a-z]+", words[1]) and self.options((*command, words[1])):
            command = (*command, words[1])
        return command


def complaints(program, words):
    """What is wrong with a command, and what to hand to `inspect` to know more."""
    if not re.fullmatch(r"[a-z]+", words[0]):
        return ([] if words[0].startswith("-") else [f"{words[0]} is no command"]), None
    if "--" in words:  # a command that starts another
        at = words.index("--")
        wrong, recipe = complaints(program, words[at + 1:])
        return complaints(program, words[:at])[0] + wrong, recipe
    command = program.command_of(words)
    options = program.options(command)
    if options is None:
        return [f"there is no command {words[0]}"], None
    wrong = [f"{' '.join(command)} has no option {word.split('=')[0]}" for word in words if word.startswith("--") and word.split("=")[0] not in options]
    recipes = [word for word in words if re.fullmatch(r"recipes/[a-z].*\.toml", word) and word != "recipes/foo.toml" and not PLACEHOLDER.search(word)]
    wrong += [f"there is no {word}" for word in recipes if not (ROOT / word).exists()]
    sets = [words[i + 1] for i, word in enumerate(words[:-1]) if word == "--set"]
    if wrong or command[0] not in WITH_RECIPE or not recipes or not sets or any(PLACEHOLDER.search(s) for s in sets) or any(w.startswith("$") for w in words) or "--plugin" in words:
        return wrong, None
    return [], (recipes[0], *sum((["--set", s] for s in sets), []))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cli", required=True, type=pathlib.Path)
    program = Program(parser.parse_args().cli.resolve())
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    failed, number, recipes = [], 0, {}
    for page in pages:
        for words in filter(None, shown(page)):
            number += 1
            wrong, recipe = complaints(program, words)
            failed += [f"{page.relative_to(ROOT)}: spiketrain {' '.join(words)}: {one}" for one in wrong]
            if recipe and not page.name.startswith("add-a-"):  # whose parts are on the page: docs_test.cpp trains with them
                recipes.setdefault(recipe, f"{page.relative_to(ROOT)}: spiketrain {' '.join(words)}")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (recipe, where), result in zip(recipes.items(), pool.map(lambda r: program.run("inspect", *r), recipes)):
            needs_files = "give --data-dir" in result.stdout and "--data-dir" in where  # which are not here
            if result.returncode != 0 and not needs_files:
                failed.append(f"{where}: {result.stdout.strip().splitlines()[-1]}")
    print("\n".join(failed) if failed else f"{number} commands, {len(recipes)} recipes with their overrides")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
