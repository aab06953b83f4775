"""RealNVP on the plane with normflows."""

import normflows as nf
import numpy as np
import torch

rng = np.random.default_rng(0)
a = rng.uniform(1.0, 2.0, 4096)
x = torch.tensor(np.stack([a, rng.normal(a, np.sqrt(a))], axis=1).astype("float32"))

layers = []
for _ in range(8):
    network = nf.nets.MLP([1, 64, 64, 2], init_zeros=True)
    layers += [nf.flows.AffineCouplingBlock(network), nf.flows.Permute(2, mode="swap")]
flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(2, trainable=False), layers)
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)

for _ in range(5):
    for batch in x[torch.randperm(len(x))].split(256):
        optimizer.zero_grad()
        flow.forward_kld(batch).backward()
        optimizer.step()

nats = -flow.log_prob(x).mean().item()
samples, _ = flow.sample(1000)
