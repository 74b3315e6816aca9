"""What hides the values, or does not: keys for a client and arithmetic for a server, on polynomials modulo X^n + 1 and t.

Here nothing is hidden: `PlainKeys` and `PlainEvaluator` send coefficients as they are.  They show what packing, messages and the modulus
do, where no library for encryption is installed; seal.py has the same two classes with encryption."""
import array
import math

import torch

from .. import _C

#: Most bits of the coefficient modulus for 128 bits of security, classical, secret of -1, 0, 1.  Source: Albrecht et al. 2018,
#: "Homomorphic encryption security standard", table 1.
SECURE_BITS = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
#: The most that a coefficient of an error can be: six standard deviations of 3.2, or 21 binomial bits.
ERROR = 21


class Parameters:
    """Ring degree n, plain modulus t, and the sizes of the primes of the coefficient modulus q in bits.

    coefficient_bits: empty: the library's own choice for 128 bits of security.  The last of several primes serves key switching, which is
    not used here, and is in no ciphertext.  UsageError below 128 bits of security."""

    def __init__(self, ring_degree, plain_modulus, coefficient_bits=()):
        self.ring_degree, self.plain_modulus, self.coefficient_bits = int(ring_degree), int(plain_modulus), tuple(coefficient_bits)
        if self.ring_degree not in SECURE_BITS:
            raise _C.UsageError(f"private: expected a ring degree of {', '.join(str(n) for n in SECURE_BITS)}, got {ring_degree}")
        if not 2 <= self.plain_modulus < 2 ** 60:
            raise _C.UsageError(f"private: expected a plain modulus from 2 to 2^60 - 1, got {plain_modulus}")
        most = SECURE_BITS[self.ring_degree]
        if sum(self.coefficient_bits) > most:
            raise _C.UsageError(f"private: a coefficient modulus of {sum(self.coefficient_bits)} bits at ring degree {self.ring_degree} has less than "
                                f"128 bits of security; expected at most {most} bits")

    def __repr__(self):
        return f"Parameters({self.ring_degree}, {self.plain_modulus}, {self.coefficient_bits})"


def noise_bits(norm, degree):
    """log2 of the largest noise of an answer: a bound, not an estimate.

    Products: each coefficient of the input's noise (its error, and half for the rounding of the scaled message) times weights that add up to
    `norm` in size.  Then a fresh encryption of zero by the public key (e u + e1 + e2 s with u and s of -1, 0, 1, and what the division by
    the special prime rounds), and half for the rounding of the bias."""
    return math.log2((ERROR + 0.5) * norm + ERROR * (2 * degree + 1) + (degree + 2) / 2 + 0.5)


def multiply(a, b, modulus):
    """a [degree] times b [degree] modulo X^n + 1 and `modulus`, int64 in [0, modulus).  UsageError where 63 bits do not suffice."""
    n = len(a)
    a, b = a.remainder(modulus), b
    if n * (modulus - 1) * max(1, int(b.abs().max())) >= 2 ** 63:
        raise _C.UsageError(f"private: products of {n} coefficients modulo {modulus} need more than 63 bits")
    index = torch.arange(n).view(-1, 1) - torch.arange(n)
    return torch.where(index >= 0, a[index], -a[index]).mul(b).sum(1).remainder(modulus)


def to_bytes(values):
    return array.array("q", values.tolist()).tobytes()


class PlainKeys:
    """A client's side that hides nothing."""

    def __init__(self, parameters):
        self.parameters = parameters

    def public(self):
        """bytes that a server needs to make encryptions of its own: none."""
        return b""

    def encrypt(self, values):
        """[degree] -> bytes"""
        return to_bytes(values.remainder(self.parameters.plain_modulus))

    def decrypt(self, data):
        """bytes -> ([degree] in [0, t), noise budget in bits)"""
        return PlainEvaluator(self.parameters).load(data), math.inf


class PlainEvaluator:
    """A server's side: products and sums."""

    def __init__(self, parameters):
        self.parameters = parameters

    def take(self, data):
        """What PlainKeys.public() gave.  ValueError for anything else."""
        if data:
            raise ValueError(f"expected no public key, got {len(data)} bytes")

    def weights(self, values):
        """A plain polynomial as this class multiplies with it; None if it is zero."""
        return values if bool(values.any()) else None

    def load(self, data):
        """bytes -> a ciphertext.  ValueError if it is none."""
        if len(data) != 8 * self.parameters.ring_degree:
            raise ValueError(f"expected {8 * self.parameters.ring_degree} bytes, got {len(data)}")
        values = torch.frombuffer(bytearray(data), dtype=torch.int64)
        if bool((values < 0).any()) or bool((values >= self.parameters.plain_modulus).any()):
            raise ValueError(f"a coefficient is not in [0, {self.parameters.plain_modulus})")
        return values

    def combine(self, inputs, weights, add):
        """bytes of sum inputs[k] weights[k] + add; a weight None is 0.  add [degree]"""
        total = add
        for x, w in zip(inputs, weights):
            if w is not None:
                total = total + multiply(x, w, self.parameters.plain_modulus)
        return to_bytes(total.remainder(self.parameters.plain_modulus))
