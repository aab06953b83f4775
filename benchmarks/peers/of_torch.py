"""What the two peers in PyTorch share: the three kinds of work, eager and compiled."""

import os

import torch


class TorchPeer:
    """The works of a flow in PyTorch.

    A subclass has `versions`, and returns from `flow(model)` an `nn.Module` with methods
    `log_prob(x)` and `sample(num_samples)`, or `None`.

    Args:
      sizes: of the flows, and the batch.
    """

    modes = ("eager", "compiled")

    def __init__(self, sizes):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.manual_seed(0)
        self.sizes = sizes
        self._flows = {}

    def function(self, model, work, mode):
        """A function without arguments that does the work, or `None`."""
        if model not in self._flows:
            self._flows[model] = self.flow(model)
        flow = self._flows[model]
        # Compiling hundreds of unrolled passes takes longer than anybody would wait.
        is_unrolled = mode == "compiled" and (model, work) == ("MAF", "sample")
        if flow is None or is_unrolled:
            return None
        batch = self.sizes["batch"]
        x = torch.randn(batch, self.sizes["event_size"])
        parameters = list(flow.parameters())
        wrap = torch.compile if mode == "compiled" else lambda function: function
        log_prob = wrap(flow.log_prob)
        sample = wrap(flow.sample)

        def gradient():
            return torch.autograd.grad(-log_prob(x).mean(), parameters)

        return {
            "log_prob": torch.no_grad()(lambda: log_prob(x)),
            "gradient": gradient,
            "sample": torch.no_grad()(lambda: sample(batch)),
        }[work]
