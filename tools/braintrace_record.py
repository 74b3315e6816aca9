#!/usr/bin/env python3
"""Writes golden/rules/rtrl_braintrace_recurrent.safetensors: diagonal RTRL of a recurrent layer of LIF neurons as braintrace
(PyPI; JAX) has it, in float64.  Needs braintrace, numpy and safetensors; nothing else here does.

  braintrace_record.py OUT.safetensors
"""
import json
import sys

import brainstate
import braintrace
import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

T, B, INPUTS, NEURONS, CLASSES = 14, 2, 6, 7, 3
LEAK, THRESHOLD = 0.8, 1.0


@jax.custom_vjp
def spike(v):
    return (v >= 0).astype(v.dtype)


spike.defvjp(lambda v: (spike(v), v), lambda v, g: (g * jnp.maximum(0, 1 - jnp.abs(v)),))


class Layer(brainstate.nn.Module):
    """u[t] = leak*(u[t-1] - threshold*s[t-1]) + W1 x[t] + V1 s[t-1]; the state is u, and s = H(u - threshold)."""

    def __init__(self, weights):
        super().__init__()
        self.weights = brainstate.ParamState(weights)
        self.membrane = brainstate.HiddenState(jnp.zeros(NEURONS))

    def init_state(self, *_, **__):
        self.membrane.value = jnp.zeros(NEURONS)

    def update(self, x):
        s = spike(self.membrane.value - THRESHOLD)
        current = braintrace.matmul(jnp.concatenate([x, s]), self.weights.value)
        self.membrane.value = LEAK * (self.membrane.value - THRESHOLD * s) + current
        return spike(self.membrane.value - THRESHOLD)


def one_sample(x, label, weights, readout):
    """Gradient of the mean over the steps of the cross-entropy, its terms, and spikes."""
    learner = braintrace.compile(Layer(weights), braintrace.D_RTRL, x[0])

    def loss(now, _):
        return -jax.nn.log_softmax(learner(now) @ readout)[label]

    gradient, losses = learner.etrace_grad(x, jnp.zeros(T), step_fn=loss, return_value=True)
    layer = Layer(weights)
    layer.init_state()
    return np.asarray(jax.tree.leaves(gradient)[0]), np.asarray(losses), np.stack([layer.update(now) for now in x])


def main():
    jax.config.update("jax_enable_x64", True)
    brainstate.environ.set(precision=64)
    rng = np.random.default_rng(5)
    x = (rng.random((T, B, INPUTS)) < 0.4).astype(np.float64)
    weights = np.concatenate([0.9 * rng.normal(size=(INPUTS, NEURONS)), 0.5 * rng.normal(size=(NEURONS, NEURONS))])
    readout, labels = rng.normal(size=(NEURONS, CLASSES)), rng.integers(0, CLASSES, B)
    runs = [one_sample(jnp.asarray(x[:, b]), int(labels[b]), jnp.asarray(weights), jnp.asarray(readout)) for b in range(B)]
    gradient = np.mean([run[0] for run in runs], 0)
    spikes = np.stack([run[2] for run in runs], 1)
    tensors = {"x": x, "labels": labels.astype(np.int64), "W1": weights[:INPUTS].T, "V1": weights[INPUTS:].T, "W2": readout.T, "s1": spikes,
               "loss": np.mean([run[1] for run in runs], 0) / T, "grad_W1": gradient[:INPUTS].T, "grad_V1": gradient[INPUTS:].T}
    metadata = {"rule": "diagonal RTRL", "source": f"braintrace {braintrace.__version__}, D_RTRL; tools/braintrace_record.py", "dtype": "F64",
                "neuron": "u[t]=lam*(u[t-1]-th*s[t-1])+W1 x[t]+V1 s[t-1]; s=1 if u>=th else 0; reset gradient attached", "kind": "soft_decayed",
                "surrogate": "psi=max(0,1-|u-th|)", "lam": str(LEAK), "th": str(THRESHOLD), "chi": "1",
                "loss": "loss[t]=CE(W2 s[t],labels)/T, batch mean", "net": json.dumps({"T": T, "B": B}), "rates": str([round(float(spikes.mean()), 3)])}
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, sys.argv[1], metadata)


if __name__ == "__main__":
    main()
