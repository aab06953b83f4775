"""normflows: the flows of `harness/contenders.py` from its layers and networks."""

import importlib.metadata

import normflows as nf
import torch
from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
from of_torch import TorchPeer


class Conditioner(nf.nets.MLP):
    """A multilayer perceptron where normflows would put a residual network."""

    def forward(self, x, context=None):
        del context
        return super().forward(x)


class Scored(nf.NormalizingFlow):
    """Layers whose cheap direction is `forward`, put to use for densities."""

    def log_prob(self, x):
        z, log_det = self.forward_and_log_det(x)
        return self.q0.log_prob(z) + log_det

    def sample(self, num_samples):
        return self.inverse(self.q0.sample(num_samples))


class BothWays(torch.nn.Module):
    """Planar or radial layers, which only go forward: for densities, and for samples."""

    def __init__(self, scored, drawn):
        super().__init__()
        self.scored = scored
        self._drawn = [drawn]  # no module of this one, whose parameters are trained

    def log_prob(self, x):
        return self.scored.log_prob(x)

    def sample(self, num_samples):
        return self._drawn[0].sample(num_samples)[0]


class Peer(TorchPeer):
    """See `of_torch.TorchPeer`."""

    versions = f"normflows {importlib.metadata.version('normflows')}, torch {torch.__version__}"

    def flow(self, model):
        size = self.sizes["event_size"]
        base = nf.distributions.DiagGaussian(size, trainable=False)
        if model in ("planar", "radial"):
            layer = nf.flows.Planar if model == "planar" else nf.flows.Radial
            both = [
                [layer((size,)) for _ in range(self.sizes["num_simple_layers"])] for _ in range(2)
            ]
            return BothWays(Scored(base, both[0]), nf.NormalizingFlow(base, both[1]))
        layer = {"RealNVP": self._affine, "spline": self._spline, "MAF": self._masked}[model]
        layers = []
        for k in range(self.sizes["num_layers"]):
            layers += layer(k)
        if model == "MAF":
            return Scored(base, layers)
        return _Sampled(base, layers)

    def _hidden(self):
        return self.sizes["hidden_units"]

    def _affine(self, _):
        half = self.sizes["event_size"] // 2
        network = nf.nets.MLP([half, *self._hidden(), 2 * half])
        swap = nf.flows.Permute(2 * half, mode="swap")
        return [nf.flows.AffineCouplingBlock(network, scale_map="exp"), swap]

    def _spline(self, k):
        size = self.sizes["event_size"]
        is_moved = (torch.arange(size) < size // 2) == (k % 2 == 0)
        layer = PiecewiseRationalQuadraticCoupling(
            is_moved.int(),
            lambda inputs, outputs: Conditioner([inputs, *self._hidden(), outputs]),
            num_bins=self.sizes["num_bins"],
            tails="linear",
            tail_bound=self.sizes["bound"],
        )
        return [layer]

    def _masked(self, _):
        size, hidden = self.sizes["event_size"], self._hidden()
        layer = nf.flows.MaskedAffineAutoregressive(
            size, hidden[0], num_blocks=len(hidden) - 1, use_residual_blocks=False
        )
        return [layer, nf.flows.Permute(size, mode="swap")]


class _Sampled(nf.NormalizingFlow):
    """`sample` returns samples alone; normflows returns their densities, too."""

    def sample(self, num_samples):
        return self.forward(self.q0.sample(num_samples))
