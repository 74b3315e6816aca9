"""Linear layers in whole numbers: what a server computes, and the range that its results cannot leave."""
import collections

import torch

from .. import _C

#: What both sides know of a linear layer: input and output (C, H, W), kernel (KH, KW), stride, padding with zeros.  A vector of N
#: values is (N, 1, 1).
Shape = collections.namedtuple("Shape", "input output kernel stride padding")

#: Largest whole number up to which sums in float64 are exact.
EXACT = 2 ** 53


class Linear:
    """y = W x + b in integers: a convolution, of which a fully connected layer is the one with maps of one pixel.

    weight [O,C,K,L] int64, bias [O] int64; input (C, H, W); low and high: the smallest and largest x, with low <= 0 <= high.
    window: the layer reads sums over windows of this side; weight, stride and padding are those behind them, H and W multiples of it.
    UsageError if a sum could need more than 53 bits."""

    def __init__(self, weight, bias, *, input, stride=1, padding=0, window=1, low=0, high=1):
        self.weight, self.bias, self.low, self.high = weight.long(), bias.long(), int(low), int(high)
        self.window, self._stride, self._padding = window, stride, padding
        kernel, stride, padding = tuple(k * window for k in weight.shape[2:]), stride * window, padding * window
        place = [(n + 2 * padding - k) // stride + 1 for n, k in zip(input[1:], kernel)]
        if len(weight) == 0 or weight.shape[1] != input[0] or min(place) < 1 or any(n % window for n in input[1:]):
            raise _C.UsageError(f"private: a kernel {list(weight.shape)} does not fit an input {list(input)} with padding {padding}")
        if not self.low <= 0 <= self.high:
            raise _C.UsageError(f"private: expected a range of inputs that holds 0, got {self.low} to {self.high}")
        self.shape = Shape(tuple(input), (len(weight), *place), kernel, stride, padding)
        if max(abs(bound) for bound in self.range) >= EXACT:
            raise _C.UsageError(f"private: results of up to {max(abs(b) for b in self.range)} are no longer exact; use fewer bits")

    @property
    def range(self):
        """(smallest, largest) result that any inputs from `low` to `high` could give."""
        weight = self.weight.flatten(1) * self.window ** 2
        up, down = weight.clamp(min=0).sum(1), weight.clamp(max=0).sum(1)
        return (int((up * self.low + down * self.high + self.bias).min()), int((up * self.high + down * self.low + self.bias).max()))

    @property
    def plain_modulus(self):
        """The smallest t whose residues, centred to (-t/2, t/2], tell all results apart."""
        low, high = self.range
        return max(2, 2 * high, 2 * -low + 1)

    def __call__(self, x):
        """x [N,C,H,W] int64 within the range -> exact y [N,O,OH,OW] int64."""
        sums = torch.nn.functional.avg_pool2d(x.double(), self.window, divisor_override=1)
        y = torch.nn.functional.conv2d(sums, self.weight.double(), stride=self._stride, padding=self._padding)
        return y.round().long() + self.bias.view(-1, 1, 1)

    @property
    def kernel(self):
        """[O,C,KH,KW]: the weights as they meet x itself, before windows: each one stands for all of a window."""
        return self.weight.repeat_interleave(self.window, 2).repeat_interleave(self.window, 3)


def centred(y, modulus):
    """Residues of y modulo t in (-t/2, t/2], int64."""
    return y - modulus * torch.div(2 * y + modulus - 1, 2 * modulus, rounding_mode="floor")
