"""RealNVP on the plane with zuko."""

import numpy as np
import torch
import zuko

rng = np.random.default_rng(0)
a = rng.uniform(1.0, 2.0, 4096)
x = torch.tensor(np.stack([a, rng.normal(a, np.sqrt(a))], axis=1).astype("float32"))

flow = zuko.flows.RealNVP(features=2, transforms=8, hidden_features=[64, 64])
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)

for _ in range(5):
    for batch in x[torch.randperm(len(x))].split(256):
        optimizer.zero_grad()
        (-flow().log_prob(batch).mean()).backward()
        optimizer.step()

nats = -flow().log_prob(x).mean().item()
samples = flow().sample((1000,))
