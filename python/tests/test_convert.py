"""From an ANN: what is read, what is refused, and that accuracy comes back with steps."""
import pytest

import spiketrain as st
import torch
from torch import nn


def trained(activation, seed=1, epochs=6):
    """A small CNN on glyphs, trained in torch."""
    torch.manual_seed(seed)
    ann = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), activation(), nn.AvgPool2d(2), nn.Conv2d(8, 12, 3, padding=1, bias=False),
                        nn.BatchNorm2d(12), activation(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(12 * 49, 32), activation(),
                        nn.Linear(32, 10))
    data = st.datasets.glyphs(train_size=600)
    x, y = data.collate([data[i] for i in range(len(data))])
    optimizer = torch.optim.Adam(ann.parameters(), 3e-3)
    for _ in range(epochs):
        for i in range(0, len(x), 50):
            loss = nn.functional.cross_entropy(ann(x[i:i + 50]), y[i:i + 50])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return ann.eval(), x, y


def test_qcfs_is_a_staircase():
    q = st.convert.QCFS(levels=4, lam=2.0)
    x = torch.tensor([-1.0, 0.2, 0.3, 1.0, 1.7, 1.8, 5.0], requires_grad=True)
    assert torch.allclose(q(x), torch.tensor([0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.0]))
    q(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 1, 0] and q.lam.grad is not None
    with pytest.raises(st.UsageError, match="levels"):
        st.convert.QCFS(levels=0)


def test_relu_network_comes_back_with_steps():
    ann, x, y = trained(nn.ReLU)
    net, notes = st.from_torch(ann, input_shape=(1, 28, 28), samples=x[:200])
    assert net.notation == "8C3p1-P2-12C3p1-P2-32-10" and len(notes) == 3
    of_ann = st.convert.accuracy(ann, [(x, y)])
    by_steps = st.convert.accuracy(net, [(x, y)], steps=[2, 8, 64])
    assert of_ann > 0.9 and by_steps[64] > of_ann - 0.02 and by_steps[2] <= by_steps[64] + 0.02
    # The readout's mean over many steps is what the ANN says.
    out = net(x[:50], steps=256)[-1] / 256
    assert (out - ann(x[:50])).abs().mean() < 0.1 * ann(x[:50]).abs().mean()


def test_qcfs_network_is_good_at_few_steps():
    ann, x, y = trained(lambda: st.convert.QCFS(levels=8, lam=4.0))
    net, notes = st.from_torch(ann, input_shape=(1, 28, 28))
    of_ann = st.convert.accuracy(ann, [(x, y)])
    assert of_ann > 0.9 and st.convert.accuracy(net, [(x, y)], steps=8) > of_ann - 0.05


def test_it_can_be_trained_on():
    ann, x, y = trained(nn.ReLU, epochs=1)
    net, _ = st.from_torch(ann, input_shape=(1, 28, 28), samples=x)
    net.train()
    st.losses.rate_ce(net(x[:20], steps=4), y[:20], analog=True).backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("layers, words", [
    ([nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 2)], "layer '2' .MaxPool2d. cannot be converted; use AvgPool2d"),
    ([nn.Conv2d(1, 4, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(4, 2)], "Sigmoid"),
    ([nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4, 2)], "without a ReLU"),
    ([nn.Conv2d(1, 4, 3, groups=1, dilation=2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)], "dilation"),
    ([nn.Conv2d(1, 4, (3, 5)), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)], "not square"),
    ([nn.Linear(4, 4), nn.ReLU()], "must end the network"),
    ([nn.Flatten()], "no Conv2d or Linear"),
    ([nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(3, stride=2), nn.Flatten(), nn.Linear(4, 2)], "overlap"),
    ([nn.LSTM(4, 4)], "LSTM"),
])
def test_what_cannot_be_converted_is_refused_by_name(layers, words):
    with pytest.raises(st.UsageError, match=words):
        st.from_torch(nn.Sequential(*layers), input_shape=(1, 8, 8), samples=torch.rand(4, 1, 8, 8))


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Negative(nn.ReLU):
    def forward(self, x):
        return -super().forward(x)


@pytest.mark.parametrize("model, words", [
    (Residual(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), "no torch.nn.Sequential"),
    (nn.Sequential(Residual(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 4)), "no torch.nn.Sequential"),
    (nn.Sequential(nn.Linear(4, 4), Negative(), nn.Linear(4, 4)), "Negative. cannot be converted"),
])
def test_what_forward_really_does_counts(model, words):
    with pytest.raises(st.UsageError, match=words):
        st.from_torch(model, input_shape=(4,), samples=torch.rand(8, 4))


def test_hooks_that_change_values_are_noticed_and_shared_activations_are_fine():
    relu = nn.ReLU()
    ann = nn.Sequential(nn.Linear(4, 6), relu, nn.Linear(6, 5), relu, nn.Linear(5, 2)).double()
    net, notes = st.from_torch(ann, input_shape=(4,), samples=torch.rand(50, 4))
    assert len(notes) == 2 and net.notation == "6-5-2"
    ann[2].register_forward_hook(lambda m, i, o: o + 1)
    with pytest.raises(st.UsageError, match="other values"):
        st.from_torch(ann, input_shape=(4,), samples=torch.rand(50, 4))


def test_wrong_samples():
    ann = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(st.UsageError, match="give samples"):
        st.from_torch(ann, input_shape=(4,))
    with pytest.raises(st.UsageError, match="expected samples"):
        st.from_torch(ann, input_shape=(4,), samples=torch.rand(3, 5))
    with torch.no_grad():
        ann[0].weight.fill_(-1)
        ann[0].bias.fill_(-1)
    with pytest.raises(st.UsageError, match="never positive"):
        st.from_torch(ann, input_shape=(4,), samples=torch.rand(3, 4))
