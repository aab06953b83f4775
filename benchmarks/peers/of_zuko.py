"""zuko: the flows of `harness/contenders.py` by its recipes."""

import functools
import importlib.metadata

import torch
import zuko
from of_torch import TorchPeer


class Flow(torch.nn.Module):
    """A lazy distribution with the methods of a distribution."""

    def __init__(self, lazy):
        super().__init__()
        self.lazy = lazy

    def log_prob(self, x):
        return self.lazy().log_prob(x)

    def sample(self, num_samples):
        return self.lazy().sample((num_samples,))


class Peer(TorchPeer):
    """See `of_torch.TorchPeer`."""

    versions = f"zuko {importlib.metadata.version('zuko')}, torch {torch.__version__}"

    def flow(self, model):
        recipes = {"RealNVP": zuko.flows.RealNVP, "spline": self._spline, "MAF": zuko.flows.MAF}
        if model not in recipes:
            return None
        return Flow(
            recipes[model](
                features=self.sizes["event_size"],
                transforms=self.sizes["num_layers"],
                hidden_features=self.sizes["hidden_units"],
            )
        )

    def _spline(self, **settings):
        bins = self.sizes["num_bins"]
        spline = functools.partial(zuko.transforms.MonotonicRQSTransform, bound=self.sizes["bound"])
        shapes = [(bins,), (bins,), (bins - 1,)]
        return zuko.flows.NICE(univariate=spline, shapes=shapes, **settings)
