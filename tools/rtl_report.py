#!/usr/bin/env python3
"""Simulates and synthesises a network that `spiketrain export rtl` wrote, and prints what it takes.

    spiketrain export rtl RUN --out DIR
    tools/rtl_report.py DIR                     all tools that are installed; those that are not are named
    tools/rtl_report.py DIR --only icarus ecp5

Simulators (icarus, verilator) compare every spike, output and decision with those that were recorded; yosys counts cells for ice40, ecp5 and
xilinx; netlist simulates the cells of the ice40; nextpnr-ice40 (timing) places and routes for an iCE40 HX8K.  The commands are those of DIR/Makefile.  Exit code 1 if a simulator finds
a difference, or a tool fails; a network that is too large for the HX8K is no failure.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

NEEDS = {"icarus": "iverilog", "verilator": "verilator", "ice40": "yosys", "ecp5": "yosys", "xilinx": "yosys", "netlist": "yosys", "timing": "nextpnr-ice40"}
# What of a family counts as what.
CELLS = {
    "ice40": {"LUTs": "SB_LUT4", "flip-flops": "SB_DFF.*", "carries": "SB_CARRY", "memories": "SB_RAM40_4K"},
    "ecp5": {"LUTs": "LUT4", "flip-flops": "TRELLIS_FF", "carries": "CCU2C", "memories": "DP16KD", "LUT memories": "TRELLIS_DPR16X4",
             "multipliers": "MULT18X18D"},
    "xilinx": {"LUTs": "LUT[1-6]|INV", "flip-flops": "FD[RCSP]E", "carries": "CARRY4", "memories": "RAMB(18|36)E1",
               "LUT memories": "RAM(32|64|128|256).*|SRL.*", "multipliers": "DSP48E1"},
}


def cells(report, kinds):
    """Numbers of cells in the last table of a report of yosys."""
    table = re.findall(r"^ +(\S+) +(\d+)$", report[report.rindex("Number of cells"):], re.M)
    return {what: sum(int(n) for name, n in table if re.fullmatch(pattern, name)) for what, pattern in kinds.items()}


def say(what, outcome):
    print(f"{what:10} {outcome}", flush=True)


def timing(text):
    if "no BELs remaining" in text:
        return "too large for an HX8K: " + re.search(r"to implement cell type '(\w+)'", text).group(1)
    used = re.findall(r"ICESTORM_(LC|RAM): +(\d+)/ *(\d+)", text)
    return ", ".join(f"{n} of {of} {'logic cells' if kind == 'LC' else 'memories'}" for kind, n, of in used) + \
        ", at most " + re.findall(r"Max frequency.*?: ([\d.]+ MHz)", text)[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=NEEDS, default=list(NEEDS))
    args = parser.parse_args()
    if not (args.folder / "model.sv").exists():
        sys.exit(f"rtl_report: {args.folder}: expected a folder that `spiketrain export rtl` wrote, with model.sv")
    failed = False
    for target in args.only:
        if not shutil.which(NEEDS[target]):
            say(target, f"left out: {NEEDS[target]} is not installed")
            continue
        run = subprocess.run(["make", "-s", "-C", args.folder, target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if target == "timing" and (run.returncode == 0 or "no BELs remaining" in run.stdout):
            say(target, timing(run.stdout))
        elif run.returncode != 0:
            failed = True
            say(target, "FAILED")
            print(run.stdout)
        elif target in CELLS:
            found = cells((args.folder / f"{target}.txt").read_text(), CELLS[target])
            say(target, ", ".join(f"{n} {what}" for what, n in found.items()))
        else:
            say(target, "; ".join(line for line in run.stdout.splitlines() if re.match(r"\d+ samples|cycles", line)))
    sys.exit(failed)


if __name__ == "__main__":
    main()
