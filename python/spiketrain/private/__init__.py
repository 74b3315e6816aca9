"""Private inference with client and server (research use): linear layers on encrypted values, neurons at the client.

    run = st.load("runs/first")
    parts = private.split_run(run, bits=6)               # integer weights for the server; neurons and scales for the client
    print(private.evaluate(run, private.Fixed(parts))["accuracy"])              # the same numbers without encryption
    pair = private.Encrypted(parts, private.choose(parts))                     # needs TenSEAL
    print(private.evaluate(run, pair, limit=10)["accuracy"], pair.channel.bytes_up)

The server has the weights and no secret key: it sees nothing of inputs and spikes.  The client has the key and no weights, computes every neuron, and so
sees every pre-activation: who may ask often enough can work out the weights.  No neuron is evaluated under encryption.  Nothing here has
been audited.  docs/methods/homomorphic.md."""
from .linear import Linear, Shape, centred
from .packing import Packing
from .parties import Channel, Client, FixedPoint, Server
from .ring import SECURE_BITS, Parameters, PlainEvaluator, PlainKeys
from .evaluation import Compared, Encrypted, Fixed, choose, evaluate, spare_bits, split_run
from .split import ClientLayer, Sender, Split, split

__all__ = ["Channel", "Client", "ClientLayer", "Compared", "Encrypted", "Fixed", "FixedPoint", "Linear", "Packing", "Parameters", "PlainEvaluator",
           "PlainKeys", "SECURE_BITS", "Sender", "Server", "Shape", "Split", "centred", "choose", "evaluate", "spare_bits", "split", "split_run"]
