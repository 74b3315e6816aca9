"""Linear layers as products of polynomials modulo X^n + 1, so that a server needs neither rotations nor a key.

An input map is written into coefficients in C, H, W order; the kernel is written backwards, with the output maps one behind the other.
One coefficient of the product is then one output:

    x(X) = sum x[c,i,j] X^(c A + i Wp + j)                                      A = Hp Wp, the padded map;  C channels at a time
    w(X) = sum w[m,c,a,b] X^(m C A + (C-1-c) A + (KH-1-a) Wp + (KW-1-b))
    (x w)[m C A + (C-1) A + (KH-1) Wp + (KW-1) + i Wp + j] = sum w[m,c,a,b] x[c,i+a,j+b]

The other coefficients hold partial sums, which nobody reads.  Source: the encoding of Cheetah (Huang et al. 2022, "Cheetah: lean and
fast secure two-party deep neural network inference"); ours cuts channels of input and output into as many ciphertexts as are needed.
Tests: python/tests/test_private_packing.py."""
import torch

from .. import _C


class Packing:
    """Where the values of one linear layer lie in polynomials of degree n.

    inputs, outputs: ciphertexts that go to the server and come back for one sample at one step.  UsageError if one padded map has
    more than n pixels."""

    def __init__(self, shape, degree):
        self.shape, self.degree = shape, degree
        channels, height, width = shape.input
        self.height, self.width = height + 2 * shape.padding, width + 2 * shape.padding
        self.area = self.height * self.width
        if self.area > degree:
            raise _C.UsageError(f"private: a map of {self.height} x {self.width} pixels does not fit {degree} coefficients; give a larger "
                                "ring degree")
        self.channels = min(range(1, min(channels, degree // self.area) + 1), key=self._cost)
        self.inputs, self.outputs = self._counts(self.channels)
        self.maps = min(shape.output[0], degree // (self.channels * self.area))  # of the output, in one ciphertext

    def _counts(self, channels):
        maps = self.degree // (channels * self.area)
        return -(-self.shape.input[0] // channels), -(-self.shape.output[0] // maps)

    def _cost(self, channels):
        """Bytes on the way: what is freshly encrypted travels as one polynomial and a seed; then products."""
        inputs, outputs = self._counts(channels)
        return inputs + 2 * outputs, inputs * outputs

    def pack(self, x):
        """x [N,C,H,W] -> [N,inputs,degree]"""
        pad = self.shape.padding
        x = torch.nn.functional.pad(x, (pad, pad, pad, pad)).flatten(2)
        x = torch.nn.functional.pad(x, (0, 0, 0, self.inputs * self.channels - x.shape[1]))
        x = x.reshape(len(x), self.inputs, self.channels * self.area)
        return torch.nn.functional.pad(x, (0, self.degree - x.shape[2]))

    def polynomials(self, weight):
        """weight [O,C,KH,KW] -> [outputs,inputs,degree]"""
        out, _, high, wide = weight.shape
        kernel = weight.new_zeros(self.outputs * self.maps, self.inputs * self.channels, self.area)
        place = (torch.arange(high).view(-1, 1) * self.width + torch.arange(wide)).flatten()
        last = (high - 1) * self.width + wide - 1
        kernel[:out, :weight.shape[1], last - place] = weight.flatten(2)
        kernel = kernel.view(self.outputs, self.maps, self.inputs, self.channels, self.area)
        kernel = kernel.permute(0, 2, 1, 3, 4).flip(3).reshape(self.outputs, self.inputs, -1)
        return torch.nn.functional.pad(kernel, (0, self.degree - kernel.shape[2]))

    def places(self):
        """[O,OH,OW] int64: where each output lies in the outputs' coefficients, one polynomial after the other."""
        out, rows, columns = self.shape.output
        stride, (high, wide) = self.shape.stride, self.shape.kernel
        place = (torch.arange(rows).view(-1, 1) * self.width + torch.arange(columns)) * stride + (high - 1) * self.width + wide - 1
        number = torch.arange(out)
        start = number // self.maps * self.degree + number % self.maps * self.channels * self.area + (self.channels - 1) * self.area
        return start.view(-1, 1, 1) + place

    def unpack(self, y):
        """y [N,outputs,degree] -> [N,O,OH,OW]"""
        return y.flatten(1)[:, self.places()]
