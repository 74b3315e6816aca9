"""python3 -m spiketrain.private RUN: a trained network between a client and a server that sees only encrypted values."""
import argparse
import json
import sys
import warnings

import torch

from .. import _C
from ..training import load
from . import seal
from .evaluation import Compared, Encrypted, Fixed, choose, evaluate, spare_bits, split_run
from .ring import SECURE_BITS

DESCRIPTION = """Evaluates a trained network in whole numbers, and some samples of it encrypted: the server has the weights and no secret key; the
client has the key, computes the neurons and so sees every pre-activation. Research use. docs/methods/homomorphic.md"""


def whole(text):
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got '{text}'")
    return value


def wholes(text):
    return [whole(part) for part in text.split(",")]


def automatic(text):
    return None if text == "auto" else whole(text)


def parser():
    p = argparse.ArgumentParser(prog="python3 -m spiketrain.private", description=DESCRIPTION)
    p.add_argument("run", help="run directory, or a .safetensors file by itself")
    p.add_argument("--checkpoint", default="best", help="of a run: best, last, or a .safetensors file (default: best)")
    p.add_argument("--data-dir", help="folder that holds mnist/, cifar10/, ... (default: SPIKETRAIN_DATA)")
    p.add_argument("--split", default="test", choices=["train", "validation", "test"], help="which samples (default: test)")
    p.add_argument("--bits", type=whole, default=6, help="bits of a weight, with its sign (default: 6)")
    p.add_argument("--value-bits", type=whole, default=8, help="bits of inputs and of what layers send, where these are no spikes (default: 8)")
    p.add_argument("--calibrate", type=whole, default=200, help="training samples on which ranges are seen (default: 200)")
    p.add_argument("--samples", type=whole, default=0, help="samples evaluated in whole numbers, at equal distances; 0: all (default)")
    p.add_argument("--images", type=whole, default=2, help="samples evaluated encrypted; 0: none, and no library is needed (default: 2)")
    p.add_argument("--plain-modulus", type=automatic, metavar="T", help="auto (default): the smallest with which nothing can wrap around")
    p.add_argument("--overflow", default="refuse", choices=["refuse", "warn"], help="what to do where T is smaller (default: refuse)")
    p.add_argument("--ring-degree", type=automatic, metavar="N", help=f"auto (default), {', '.join(str(n) for n in SECURE_BITS)}")
    p.add_argument("--coefficient-bits", type=wholes, default=[], metavar="B,...",
                   help="sizes of the primes of the coefficient modulus (default: the library's for 128 bits of security)")
    p.add_argument("--window", type=whole, default=0, help="steps that are asked together; 0: all, 1: as a stream (default: 0)")
    p.add_argument("--sweep", type=wholes, default=[], metavar="T,...", help="also the accuracy in whole numbers modulo each of these")
    p.add_argument("--threads", type=whole, default=0, help="0: all cores")
    p.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return p


def network_of(run):
    """A run's network itself, as evaluate() asks."""
    net = run.network.eval()
    return lambda x, steps: net(x[0], steps=steps) if len(x) == 1 else net(x)


def layer_rows(parts, fixed):
    return [{"layer": f"{layer.name} {layer.notation}", "inputs": [linear.low, linear.high], "range": list(linear.range),
             "seen": [low, high], "plain_modulus": linear.plain_modulus}
            for layer, linear, low, high in zip(parts.layers, parts.linears, fixed.numbers.lowest, fixed.numbers.highest)]


def metrics(result):
    return {key: value for key, value in result.items() if key not in ("samples", "targets", "outputs")}


def in_whole_numbers(run, parts, args):
    told = {"network": run.network.notation, "steps": run.config["steps"], "bits": args.bits, "input": repr(parts.first)}
    where = dict(split=args.split, limit=args.samples, data_dir=args.data_dir)
    fixed = Fixed(parts)
    result = evaluate(run, fixed, **where)
    told["samples"] = len(result["samples"])
    told["network_itself"] = metrics(evaluate(run, network_of(run), **where))
    told["whole_numbers"] = metrics(result)
    told["layers"] = layer_rows(parts, fixed)
    told["enough"] = {"for_any_input": parts.plain_modulus, "for_these_samples": fixed.numbers.plain_modulus}
    told["cut"] = parts.first.cut + sum(layer.send.cut for layer in parts.layers if layer.send)
    told["sweep"] = [{"plain_modulus": t, **metrics(evaluate(run, Fixed(parts, t), **where))} for t in args.sweep]
    return told


def encrypted(run, parts, parameters, args):
    pair = Encrypted(parts, parameters, window=args.window)
    compared = Compared(pair, {"modulo_t": Fixed(parts, parameters.plain_modulus), "exact": Fixed(parts)})
    result = evaluate(run, compared, args.split, limit=args.images, data_dir=args.data_dir, batch=1)
    channel, n = pair.channel, compared.samples
    return {"samples": n, **metrics(result), "ring_degree": parameters.ring_degree, "plain_modulus": parameters.plain_modulus,
            "coefficient_bits": [p.bit_count() for p in seal.primes(parameters)], "security_bits": 128, "values": compared.values, "not_zero": compared.spikes,
            "different": compared.different, "outputs_different": compared.outputs_different, "bytes_once": channel.greeting_bytes,
            "bytes_up": channel.bytes_up / n, "bytes_down": channel.bytes_down / n, "rounds": channel.rounds / n,
            "seconds_once": pair.setup_seconds, "seconds_client": (compared.seconds - channel.seconds) / n, "seconds_server": channel.seconds / n,
            "noise_budgets": channel.budgets,
            "guaranteed_budgets": [round(b, 1) for b in spare_bits(parts, parameters)]}


def print_whole(told):
    print(f"network   {told['network']}, {told['steps']} steps, weights of {told['bits']} bits, input {told['input']}")
    rows = [("layer", "inputs", "results at most", "seen", "plain modulus")]
    for row in told["layers"]:
        spans = [f"{row[key][0]} to {row[key][1]}" for key in ("inputs", "range", "seen")]
        rows.append((row["layer"], *spans, str(row["plain_modulus"])))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    for name in told["whole_numbers"]:
        print(f"{name}  {told['network_itself'][name]:.4f} of the network itself, {told['whole_numbers'][name]:.4f} in whole numbers, "
              f"{told['samples']} samples")
    print(f"plain modulus  from {told['enough']['for_any_input']} on nothing can wrap around, from {told['enough']['for_these_samples']} on nothing of "
          "these samples does")
    if told["cut"]:
        print(f"{told['cut']} values were larger than those seen before, and cut")
    for row in told["sweep"]:
        print(f"modulo {row['plain_modulus']}  " + "  ".join(f"{key} {value:.4f}" for key, value in row.items() if key != "plain_modulus"))


def print_encrypted(told):
    print(f"encrypted  BFV of SEAL: ring degree {told['ring_degree']}, coefficient modulus {' + '.join(map(str, told['coefficient_bits']))} bits, plain "
          f"modulus {told['plain_modulus']}, {told['security_bits']} bits of security")
    print(f"{told['samples']} samples, {told['values']} values sent by hidden layers, {told['not_zero']} of them not zero; different: "
          f"{told['different']['modulo_t']} from the same in whole numbers modulo {told['plain_modulus']}, {told['different']['exact']} from exact "
          "whole numbers")
    print(f"a sample  {told['bytes_up'] / 1e6:.3f} MB to the server, {told['bytes_down'] / 1e6:.3f} MB back, {told['rounds']:g} rounds, "
          f"{told['seconds_client']:.2f} s client, {told['seconds_server']:.2f} s server; once {told['bytes_once'] / 1e6:.3f} MB, {told['seconds_once']:.2f} s")
    print("noise budget  smallest of each layer " + " ".join(map(str, told["noise_budgets"])) + " bits, guaranteed "
          + " ".join(map(str, told["guaranteed_budgets"])))
    print("The client sees every pre-activation, from which weights can be worked out; no neuron is evaluated under encryption.")


def work(args):
    if args.threads:
        torch.set_num_threads(args.threads)
    run = load(args.run, args.checkpoint)
    parts = split_run(run, bits=args.bits, value_bits=args.value_bits, samples=args.calibrate, data_dir=args.data_dir)
    parameters = None
    if args.images:
        parameters = choose(parts, plain_modulus=args.plain_modulus, ring_degree=args.ring_degree, coefficient_bits=args.coefficient_bits,
                            overflow=args.overflow)
    told = in_whole_numbers(run, parts, args)
    if not args.json:
        print_whole(told)
    if parameters is not None:
        told["encrypted"] = encrypted(run, parts, parameters, args)
        if not args.json:
            print_encrypted(told["encrypted"])
    if args.json:
        print(json.dumps(told))


def main(arguments=None):
    args = parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = lambda message, *rest, **more: print(f"spiketrain: warning: {message}", file=sys.stderr)
            work(args)
    except (_C.UsageError, _C.DataError, _C.NumericError) as error:
        print(f"spiketrain: {error}", file=sys.stderr)
        return 2 if isinstance(error, _C.UsageError) else 3 if isinstance(error, _C.DataError) else 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
