"""The tutorial of normflows on a ~ U(1, 2), b given a ~ N(a, variance a), as its page has it.

    python tutorial.py NUM_STEPS NUM_TEST_POINTS SEED

Sixteen affine couplings of 64 x 64 with LU permutations, Adam with 1e-3, 512 new points a step.
Prints the seconds of making and training the flow, and the test NLL in nats, as JSON.
"""

import json
import os
import sys
import time

import normflows as nf
import torch


def sample(num_points):
    a = 1.0 + torch.rand(num_points)
    return torch.stack([a, a + a.sqrt() * torch.randn(num_points)], dim=-1)


def make_flow():
    layers = []
    for _ in range(16):
        network = nf.nets.MLP([1, 64, 64, 2], init_zeros=True)
        layers += [nf.flows.AffineCouplingBlock(network), nf.flows.LULinearPermute(2)]
    return nf.NormalizingFlow(nf.distributions.DiagGaussian(2), layers)


def main():
    num_steps, num_test_points, seed = map(int, sys.argv[1:])
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(seed)
    start = time.perf_counter()
    flow = make_flow()
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
    for _ in range(num_steps):
        optimizer.zero_grad()
        loss = flow.forward_kld(sample(512))
        if torch.isfinite(loss):
            loss.backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        nll = -flow.log_prob(sample(num_test_points)).mean().item()
    print(json.dumps({"seconds": seconds, "nll": nll}))


if __name__ == "__main__":
    main()
