"""Encryption with BFV of Microsoft SEAL, through TenSEAL (PyPI: tenseal).  Nothing here is a cipher of ours.

Values are coefficients, not slots, so that any plain modulus works; products are of ciphertexts with plain polynomials.  SEAL scales a
message m to round(q m / t), so that sums beyond t wrap around without extra noise.  The key never leaves the object that made it.
Tests: python/tests/test_private_encrypted.py."""
import math
import os
import shutil
import tempfile
import weakref

import torch

from .. import _C


def library():
    """tenseal.sealapi.  UsageError if it is not installed."""
    try:
        import tenseal.sealapi as sealapi
    except ImportError as error:
        raise _C.UsageError(f"private: encryption needs TenSEAL, which is not installed (pip install tenseal; {error}); without it the fixed-point "
                            "network itself can be evaluated") from None
    return sealapi


def primes(parameters):
    """The coefficient modulus: the library's own choice, or primes of the sizes that were asked for."""
    sealapi = library()
    n = parameters.ring_degree
    if not parameters.coefficient_bits:
        return sealapi.CoeffModulus.BFVDefault(n, sealapi.SEC_LEVEL_TYPE.TC128)
    try:
        return sealapi.CoeffModulus.Create(n, list(parameters.coefficient_bits))
    except (ValueError, RuntimeError) as error:
        raise _C.UsageError(f"private: no primes of {parameters.coefficient_bits} bits at ring degree {n}: {error}") from None


def data_bits(parameters):
    """log2 of the modulus of ciphertexts: of all primes but the last of several, which is for key switching."""
    values = [p.value() for p in primes(parameters)]
    return sum(math.log2(v) for v in (values[:-1] if len(values) > 1 else values))


def _context(parameters):
    sealapi = library()
    made = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.BFV)
    made.set_poly_modulus_degree(parameters.ring_degree)
    made.set_coeff_modulus(primes(parameters))
    made.set_plain_modulus(parameters.plain_modulus)
    context = sealapi.SEALContext(made, True, sealapi.SEC_LEVEL_TYPE.TC128)
    if not context.parameters_set():
        raise _C.UsageError(f"private: the library refuses ring degree {parameters.ring_degree}, plain modulus {parameters.plain_modulus}: "
                            f"{context.parameters_error_message()}")
    return context


def _text(values):
    """[degree] in [0, t) as the library reads polynomials: hexadecimal coefficients from the highest power down."""
    terms = [f"{v:X}x^{i}" if i else f"{v:X}" for i, v in enumerate(values.tolist()) if v]
    return " + ".join(reversed(terms)) or "0"


def _values(text, degree):
    values = [0] * degree
    for term in text.split(" + "):
        number, _, power = term.partition("x^")
        values[int(power or 0)] = int(number, 16)
    return torch.tensor(values, dtype=torch.int64)


class _Bytes:
    """Ciphertexts and public keys from and to bytes.  The library knows files only: a scratch file of this object's own, in memory where there is such."""

    def __init__(self):
        shared = "/dev/shm"
        folder = tempfile.mkdtemp(dir=shared if os.access(shared, os.W_OK) else None)
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._path = os.path.join(folder, "ciphertext")

    def of(self, ciphertext):
        ciphertext.save(self._path)
        with open(self._path, "rb") as file:
            return file.read()

    def load(self, thing, data, context):
        with open(self._path, "wb") as file:
            file.write(data)
        try:
            thing.load(context, self._path)
        except (ValueError, RuntimeError) as error:
            raise ValueError(str(error)) from None
        return thing

    def read(self, data, context):
        ciphertext = self.load(library().Ciphertext(), data, context)
        if ciphertext.size() != 2 or ciphertext.is_ntt_form() or ciphertext.parms_id() != context.first_parms_id():
            raise ValueError("expected a ciphertext of two polynomials at the first level")
        return ciphertext


class SealKeys:
    """A client's side: holds the secret key."""

    def __init__(self, parameters):
        sealapi = library()
        self.parameters, self._bytes, self._context = parameters, _Bytes(), _context(parameters)
        generator, self._public = sealapi.KeyGenerator(self._context), sealapi.PublicKey()
        generator.create_public_key(self._public)
        key = generator.secret_key()
        self._encryptor = sealapi.Encryptor(self._context, key)
        self._decryptor = sealapi.Decryptor(self._context, key)

    def public(self):
        """bytes that a server needs to make encryptions of its own: the public key."""
        return self._bytes.of(self._public)

    def encrypt(self, values):
        """[degree] -> bytes: one polynomial and the seed of the other."""
        plain = library().Plaintext(_text(values.remainder(self.parameters.plain_modulus)))
        return self._bytes.of(self._encryptor.encrypt_symmetric(plain))

    def decrypt(self, data):
        """bytes -> ([degree] in [0, t), noise budget in bits: at 0 the values may be wrong).  ValueError if it is no ciphertext."""
        ciphertext = self._bytes.read(data, self._context)
        plain = library().Plaintext()
        self._decryptor.decrypt(ciphertext, plain)
        return _values(plain.to_string(), self.parameters.ring_degree), self._decryptor.invariant_noise_budget(ciphertext)


class SealEvaluator:
    """A server's side: products and sums of ciphertexts, without a secret key."""

    def __init__(self, parameters):
        sealapi = library()
        self.parameters, self._bytes, self._context = parameters, _Bytes(), _context(parameters)
        self._evaluator, self._encryptor = sealapi.Evaluator(self._context), None

    def take(self, data):
        """What SealKeys.public() gave.  ValueError if it is no public key."""
        key = self._bytes.load(library().PublicKey(), data, self._context)
        self._encryptor = library().Encryptor(self._context, key)

    def _plain(self, values):
        return library().Plaintext(_text(values.remainder(self.parameters.plain_modulus)))

    def weights(self, values):
        """A plain polynomial, transformed for products; None if it is zero, also modulo t."""
        if not bool(values.remainder(self.parameters.plain_modulus).any()):
            return None
        plain = self._plain(values)
        self._evaluator.transform_to_ntt_inplace(plain, self._context.first_parms_id())
        return plain

    def load(self, data):
        """bytes -> a ciphertext, transformed for products.  ValueError if it is none."""
        ciphertext = self._bytes.read(data, self._context)
        self._evaluator.transform_to_ntt_inplace(ciphertext)
        return ciphertext

    def combine(self, inputs, weights, add):
        """bytes of 0 + sum inputs[k] weights[k] + add; a weight None is 0.  add [degree]

        0 is encrypted anew: without it the second polynomial of an answer would be the weights times what the client has sent, an equation
        that it could solve."""
        total, products = library().Ciphertext(), []
        for x, w in zip(inputs, weights):
            if w is not None:
                products.append(library().Ciphertext())
                self._evaluator.multiply_plain(x, w, products[-1])
        self._encryptor.encrypt_zero(total)
        if products:
            for product in products[1:]:
                self._evaluator.add_inplace(products[0], product)
            self._evaluator.transform_from_ntt_inplace(products[0])
            self._evaluator.add_inplace(total, products[0])
        self._evaluator.add_plain_inplace(total, self._plain(add))
        return self._bytes.of(total)
