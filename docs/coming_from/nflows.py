"""RealNVP on the plane with nflows."""

import numpy as np
import torch
from nflows.flows.realnvp import SimpleRealNVP

rng = np.random.default_rng(0)
a = rng.uniform(1.0, 2.0, 4096)
x = torch.tensor(np.stack([a, rng.normal(a, np.sqrt(a))], axis=1).astype("float32"))

# Its networks are residual: one block of two layers of 64.
flow = SimpleRealNVP(features=2, hidden_features=64, num_layers=8, num_blocks_per_layer=1)
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)

for _ in range(5):
    for batch in x[torch.randperm(len(x))].split(256):
        optimizer.zero_grad()
        (-flow.log_prob(batch).mean()).backward()
        optimizer.step()

nats = -flow.log_prob(x).mean().item()
samples = flow.sample(1000)
