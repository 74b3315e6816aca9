#!/usr/bin/env python3
"""Every link between files of the repository leads somewhere: the file is there, and so is the heading behind '#'. Every page under docs/ can be
reached from README.md. Links into the network are not followed.

usage: check_links.py [ROOT]"""
import pathlib
import re
import sys

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HTML = re.compile(r'(?:src|href|srcset)="([^"]+)"')


def prose(path):
    """The text without code."""
    text = re.sub(r"^(```|~~~).*?^\1", "", path.read_text(), flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "", text)


def sections(path):
    """{name of a heading: its text up to the next heading}. Names as on a code host: lower case, spaces as dashes, without punctuation; repeated ones are
    numbered."""
    found = {}
    text = re.sub(r"^(```|~~~).*?^\1", "", path.read_text(), flags=re.S | re.M)
    for heading, body in re.findall(r"^#+ +(.*)$((?:\n(?!#+ ).*)*)", text, re.M):
        name = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", name).replace(" ", "-")
        number = 0
        while (name if number == 0 else f"{name}-{number}") in found:
            number += 1
        found[name if number == 0 else f"{name}-{number}"] = body
    return found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    pages = [p for p in root.glob("**/*.md") if not {"build", "runs", ".git", ".cache"} & set(p.relative_to(root).parts)]
    wrong, reads = [], {}
    for page in sorted(pages):
        reads[page] = set()
        text = prose(page)
        for link in LINK.findall(text) + HTML.findall(text):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            where = f"{page.relative_to(root)}: {link}"
            if not target.exists() or root not in (target, *target.parents):
                wrong.append(f"{where}: there is no such file")
                continue
            if target.is_dir() and (target / "README.md").exists():
                target = target / "README.md"
            reads[page].add(target)
            if anchor and target.suffix == ".md" and anchor not in sections(target):
                wrong.append(f"{where}: there is no such heading")
    seen, todo = set(), [root / "README.md"]
    while todo:
        page = todo.pop()
        if page not in seen:
            seen.add(page)
            todo += reads.get(page, ())
    wrong += [f"{p.relative_to(root)}: no link leads there from README.md" for p in sorted(pages)
              if p not in seen and root / "docs" in p.parents]
    print("\n".join(wrong) or f"{len(pages)} pages: every link leads somewhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
