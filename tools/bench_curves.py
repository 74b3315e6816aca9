#!/usr/bin/env python3
"""Time and memory of a training step against steps, batch, density and threads: runs `spiketrain bench step --json` once for each value
and draws docs/plots/bench-CASE-AXIS.svg.

  bench_curves.py --cli build/dev/bin/spiketrain                     the lists below, case "cifar 64"; minutes, on a quiet machine
  bench_curves.py --cli CLI --case dense --name dense --steps 100,500 --batch "" --density "" --threads ""
  bench_curves.py --draw curves.json [--plots FOLDER]                draws what was measured before

Along one axis the others stay at those of the case, the density at --rate and the threads at all cores.  An empty list leaves an axis
out.  What was measured is kept in the file of --data.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import svg_plot

ROOT = pathlib.Path(__file__).resolve().parent.parent
FORMS = ("ours", "plain", "local", "naive", "relu")
AXES = {"steps": "time steps", "batch": "samples of a batch", "density": "spikes per neuron and step in hidden layers", "threads": "threads"}


def fail(message):
    print(f"bench_curves: {message}", file=sys.stderr)
    sys.exit(2)


def values(text, kind):
    """The numbers of a list with commas, ascending, each once."""
    return sorted({kind(part) for part in text.split(",") if part.strip()})


def command(arguments, axis, value, out):
    """One measurement: `value` on `axis`."""
    settings = {"density": arguments.rate, axis: value}
    options = [part for name, setting in settings.items() for part in (f"--{name}", f"{setting:g}")]
    return [arguments.cli, "bench", "step", "--case", arguments.case, "--rounds", str(arguments.rounds), "--json", str(out), *options]


def measure(arguments, axis, value):
    """The case of a run, as in its JSON, and the machine."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.json"
        line = command(arguments, axis, value, out)
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            fail(f"{' '.join(line)}: exit {done.returncode}: {' '.join(done.stdout.strip().splitlines()[-1:])}")
        data = json.loads(out.read_text())
    if len(data["cases"]) != 1:
        fail(f"--case {arguments.case!r}: expected the name of one case, got {', '.join(case['name'] for case in data['cases'])}")
    return data["cases"][0], data["machine"]


def measure_all(arguments):
    """{"name", "machine", "axes": {axis: [[value, case], ...]}}"""
    result = {"name": arguments.name, "machine": None, "axes": {}}
    for axis in AXES:
        for value in values(getattr(arguments, axis), float if axis == "density" else int):
            case, result["machine"] = measure(arguments, axis, value)
            result["axes"].setdefault(axis, []).append([value, case])
            print(f"{axis} {value:g}: ours {case['ours_ms']:.1f} ms, plain / ours {case['ratio']:.2f}", flush=True)
    return result


def lines(points, key, scale):
    """{form: [(value, number), ...]} of the forms that were measured: their entries of this key, times `scale`."""
    forms = [form for form in FORMS if all(f"{form}_{key}" in case for _, case in points)]
    return {form: [(value, case[f"{form}_{key}"] * scale) for value, case in points] for form in forms}


def panel(label, left, drawn):
    """Curves on logarithmic axes."""
    points = [point for line in drawn.values() for point in line]
    one = svg_plot.Panel(left, label, svg_plot.Axis([x for x, _ in points], logarithmic=True),
                         svg_plot.Axis([y for _, y in points], logarithmic=True), right=70)
    svg_plot.curves(one, drawn)
    return one


def plot(axis, points):
    """The text of the plot of an axis."""
    panels = [panel(f"{AXES[axis]}: ms of a step", 45, lines(points, "ms", 1)),
              panel(f"{AXES[axis]}: MiB held at once", 525, lines(points, "bytes", 1 / 2**20))]
    return svg_plot.document(f"training step, {points[0][1]['name'].split()[0]}", panels)


def draw(data, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for axis, points in data["axes"].items():
        path = folder / f"bench-{data['name']}-{axis}.svg"
        path.write_text(plot(axis, points))
        print(path)


def load(path):
    try:
        data = json.loads(path.read_text())
        if not set(data["axes"]) <= set(AXES) or not data["name"]:
            fail(f"{path}: expected axes {', '.join(AXES)}")
        return data
    except (OSError, ValueError, TypeError, KeyError) as error:
        fail(f"{path}: expected a file of --data; {type(error).__name__}: {error}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cli", default="spiketrain")
    parser.add_argument("--case", default="cifar 64", help="part of the name of one case of level step")
    parser.add_argument("--name", default="cifar", help="of the plots: bench-NAME-AXIS.svg")
    parser.add_argument("--steps", default="1,2,4,8")
    parser.add_argument("--batch", default="8,16,32,64")
    parser.add_argument("--density", default="0.02,0.05,0.1,0.2")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rate", type=float, default=0.05, help="density on the other axes; default 0.05")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=pathlib.Path, metavar="FILE.json", help="keeps what was measured")
    parser.add_argument("--draw", type=pathlib.Path, metavar="FILE.json", help="draws what --data kept, and measures nothing")
    parser.add_argument("--plots", type=pathlib.Path, default=ROOT / "docs" / "plots")
    arguments = parser.parse_args()
    data = load(arguments.draw) if arguments.draw else measure_all(arguments)
    if arguments.data:
        arguments.data.write_text(json.dumps(data, indent=2) + "\n")
    draw(data, arguments.plots)


if __name__ == "__main__":
    main()
