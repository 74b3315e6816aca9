#!/usr/bin/env python3
"""The corpus of the fuzz targets: tests/fuzz/corpus/TARGET.txt, one input a line, in base64, shortest first.

  tools/fuzz_corpus.py unpack TARGET FOLDER    writes each input as a file, for the fuzzer to begin with
  tools/fuzz_corpus.py pack TARGET FOLDER      takes the files of a folder (a fuzzer's, after -merge=1) into the list; longer
                                               inputs than --longest are left out
"""
import argparse
import base64
import hashlib
import pathlib

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "corpus"


def read(target):
    path = CORPUS / (target + ".txt")
    lines = path.read_text(encoding="ascii").split() if path.exists() else []
    return {base64.b64decode(line, validate=True) for line in lines}


def unpack(target, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for data in read(target):
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def pack(target, folder, longest):
    inputs = {path.read_bytes() for path in folder.iterdir() if path.is_file()}
    kept = sorted((data for data in inputs if 0 < len(data) <= longest), key=lambda data: (len(data), data))
    CORPUS.mkdir(exist_ok=True)
    text = "".join(base64.b64encode(data).decode("ascii") + "\n" for data in kept)
    (CORPUS / (target + ".txt")).write_text(text, encoding="ascii")
    print(f"{target}: {len(kept)} of {len(inputs)} inputs, {len(text)} characters")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["pack", "unpack"])
    parser.add_argument("target", help="idx, cifar, events, kernels, safetensors, spec or toml")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--longest", type=int, default=512, help="bytes of an input that is kept")
    options = parser.parse_args()
    if options.action == "pack":
        pack(options.target, options.folder, options.longest)
    else:
        unpack(options.target, options.folder)


if __name__ == "__main__":
    main()
